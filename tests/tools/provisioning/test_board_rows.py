"""The CSV of boards: problems name row and column, show no secret, are no traceback."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallypost.faults import ToolError
from tallypost.provisioning import board_rows
from tallypost.provisioning.board_rows import COLUMNS, Row
from tallypost.provisioning.identity import Identity

BASE = Row(0, Identity("", wifi_ssid="city"), "lilygo_t3_v1_6_1")
SECRET = "5ec2e75ec2e7"


def read(path: Path, text: str, base: Row = BASE) -> tuple[list[Row], list[str]]:
    path.write_bytes(text.encode())
    return board_rows.read(path, base)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "boards.csv"


def test_a_row_becomes_an_identity(path: Path) -> None:
    rows, problems = read(
        path,
        "\ufeffnode;site;detector;config.radar_line_m;join_eui;dev_eui;app_key;wifi_ssid\r\n"
        'n1;"Brücke; Nord";ld2451;12;70B3-D57E-D000-0001;11:22:33:44:55:66:77:88;;\r\n'
        "\r\n"
        "n2;;;;;;;town\r\n",
    )
    assert problems == [] and [row.line for row in rows] == [2, 4]
    first, second = rows
    assert first.identity.config == {
        "site": "Brücke; Nord", "detector": "ld2451", "radar_line_m": 12, "link": "both",
    }  # fmt: skip
    keys = first.identity_for("24:0a:c4:00:00:01", b"k" * 16).lora
    assert keys and keys.dev_eui == bytes.fromhex("1122334455667788")
    assert first.identity.wifi_ssid == "city" and second.identity.wifi_ssid == "town"
    assert second.identity_for("24:0a:c4:00:00:01", b"").lora is None


def test_a_dev_eui_is_made_from_the_mac() -> None:
    assert board_rows.eui_of("24:0a:c4:01:02:03").hex() == "240ac4fffe010203"


@pytest.mark.parametrize(
    ("text", "problem"),
    (
        (
            "node,detector\nn1,camera\n",
            ":2: detector: configuration: detector = 'camera' is not allowed. Use one of ld",
        ),
        (
            "node,config.mqtt_port\nn1,no\n",
            ":2: config.mqtt_port: configuration: mqtt_port = 'no' is not allowed. Use a whole",
        ),
        ("node\nNode 1\n", ":2: the node id 'Node 1' is not allowed"),
        ("node\nn1\nn1\n", ":3: node: the value is the same as in line 2"),
        (
            "node,board\nn1,arduino\n",
            ":2: board: unknown board 'arduino'. Give one of these with --board: esp32_generic",
        ),
        ("node,port\na,p\nb,p\n", ":3: port: the value is the same as in line 2"),
        (
            "node,join_eui\na,12\n",
            ":2: join_eui: the value with 2 characters is not allowed. Use 16 hexadecimal digits.",
        ),
        (
            f"node,join_eui,app_key\na,{'1' * 16},{SECRET}\n",
            ":2: app_key: the value with 12 characters is not allowed. Use 32",
        ),
        (
            f"node,app_key\na,{SECRET * 2}{'0' * 8}\n",
            ":2: join_eui: LoRaWAN needs one, and it is missing",
        ),
        (f"node,wifi_pass\na,{SECRET[:7]}\n", ":2: wifi_pass has less than 8 characters"),
        (
            f"node,mqtt_pass\na,{SECRET * 6}\n",
            ":2: mqtt_pass has 72 bytes, at most 64 are allowed",
        ),
        (f"node,site\na,{'x' * 41}\n", ":2: site: configuration: site = 'xx"),
        ("node,site\na\n", ":2: the row has 1 columns, but the first row has 2"),
        ("node,site\na,b,c\n", ":2: the row has 3 columns, but the first row has 2"),
        (
            "node,board\na,esp32c3_rak3172\n",
            ":2: esp32c3_rak3172 does not support the detector 'ld2451'",
        ),
        ("node,config.link\na,both\n", ":2: link = both: the node has no LoRaWAN keys"),
        (
            f"node,board,join_eui\na,esp32_generic,{'1' * 16}\n",
            ":2: link = both: esp32_generic has no LoRaWAN. Set link = mqtt, or use another",
        ),
        ("node\n", "boards.csv: there is no row below the first one"),
        ("node,config.radar_line_m,config.radar_max_m\na,30,20\n", ":2: config: configuration: r"),
        ("node,mqtt_user\na,u\nb,u\n", ":3: mqtt_user: the value is the same as in line 2"),
        ("node,mqtt_user\na,b\nb,\n", ":3: mqtt_user: the value is the same as in line 2"),
        (
            f"node,dev_eui,join_eui\na,{'1' * 16},{'2' * 16}\nb,{'1' * 16},{'2' * 16}\n",
            ":3: dev_eui: the value is the same as in line 2",
        ),
    ),
)
def test_a_problem_names_row_and_column(text: str, problem: str, path: Path) -> None:
    _, found = read(path, text)
    assert len(found) == 1 and problem in found[0], found
    assert SECRET[:7] not in found[0]


def test_all_problems_of_a_file_are_reported_at_once(path: Path) -> None:
    _, problems = read(path, "node,detector,join_eui\nA,x,1\nb,y,2\n")
    assert len(problems) == 4


@pytest.mark.parametrize(
    ("data", "reason"),
    (
        (b"", "boards.csv: the file is empty"),
        (b"\n\n", "boards.csv: the file is empty"),
        (b"node,sitte\n", "unknown column 'sitte'. Use these: node, board, port"),
        (b"node,config.sitte\n", "unknown column 'config.sitte'"),
        (b"node,node\n", "the column 'node' occurs twice"),
        (b"site\nx\n", "the column 'node' is missing"),
        (b"node\n\xff\n", "byte 5 is not UTF-8"),
        (b'node\n"a\n', ":2: unexpected end of data. Check the quotation marks of this line."),
        (b'node\n"a"b\n', ":2: ',' expected after '\"'"),
        (b"node\n" + b"a\n" * 1001, "the file has more than 1000 rows"),
        (b"node\n" + b"a" * 140_000, "field larger than field limit"),
    ),
)
def test_a_file_that_is_no_table_is_refused(data: bytes, reason: str, path: Path) -> None:
    path.write_bytes(data)
    with pytest.raises(ToolError) as caught:
        board_rows.read(path, BASE)
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("gone.csv", "."):
        with pytest.raises(ToolError, match="No such file|Is a directory"):
            board_rows.read(tmp_path / name, BASE)


HEADERS = st.sampled_from([*COLUMNS, "config.mqtt_port", "config.site", "config.mqtt_root", "x"])
CELLS = st.one_of(
    st.sampled_from(
        ("n1", "n2", "", "esp32_generic", "beam", "1" * 16, "2" * 32, "p", '"', ";", "8883", "ß")
    ),
    st.text(max_size=40),
)
TABLES = st.lists(st.lists(CELLS, max_size=6), max_size=5)
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(st.lists(HEADERS, min_size=1, max_size=6, unique=True), TABLES, st.sampled_from(",;\t"))
@FUZZ
def test_no_table_gives_a_traceback(
    path: Path, header: list[str], table: list[list[str]], separator: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([header, *table])
    path.write_bytes(text.getvalue().encode("utf-8", "replace"))
    read_or_refuse(path)


@given(st.binary(max_size=200))
@FUZZ
def test_no_bytes_give_a_traceback(path: Path, data: bytes) -> None:
    path.write_bytes(b"node,site\n" + data)
    read_or_refuse(path)
    path.write_bytes(data)
    read_or_refuse(path)


def read_or_refuse(path: Path) -> None:
    """Every row is used, or reported with its problem."""
    try:
        rows, problems = board_rows.read(path, BASE)
        board_rows.holds_secrets(path)
    except ToolError as error:
        assert "\n" not in error.advice
        return
    assert rows or problems
    for row in rows:
        row.identity.complete()
        row.identity_for("24:0a:c4:00:00:01", row.app_key or b"k" * 16).complete()
