"""Provisioning: writes an identity into the NVS partition of a board or of a flash file.

The order of writing protects a board that loses power from counting with half an identity. First
the page with the old node id is erased, then the rest of the partition. Then all pages are written
from the first to the last, with the new node id as the very last entry. In between there is no
identity, and the firmware refuses to count. A seal over identity and secrets (identity.py) detects
any other damage. Node id, configuration and secrets stay in NVS when the file system is flashed
again. Secrets are never printed and never enter a shared image.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tallypost.faults import USAGE, ToolError
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, Partition, unpack
from tallypost.i18n import _
from tallypost.nvs import nvs_image
from tallypost.nvs import nvs_reader
from tallypost.provisioning import preserved_state
from tallypost.provisioning.flash_target import FileTarget, FlashTarget
from tallypost.provisioning.identity import NAMESPACE, Identity, LoraKeys
from tallypost.nvs.nvs_reader import PAGE, Contents
from tallypost.provisioning.preserved_state import Journal, PreservedState

__all__ = ("Identity", "LoraKeys", "Plan", "prepare", "provision", "write")
KEEP, ERASE = "keep", "erase"


@dataclass(frozen=True)
class Plan:
    """The writes for one board. previous_node: its node id until now, "" if it has none.

    id_pages: the pages of NVS with a node id, even a damaged one. log_to_erase: the ring, or None.
    """

    identity: Identity
    nvs: Partition
    contents: Contents
    image: bytes
    state: PreservedState
    previous_node: str
    id_pages: list[int]
    log_to_erase: Partition | None

    @property
    def preserved_numbers(self) -> dict[str, int]:
        """Boot counter and DevNonce that go on, by name."""
        found = {"boot": self.state.boot} if self.state.boot else {}
        return found | ({"dev_nonce": self.state.dev_nonce} if self.state.dev_nonce else {})


def provision(flash: Path, identity: Identity, dry_run: bool = False, log: str = "") -> Identity:
    """Write an identity into a flash file and read it back. Returns it with its secrets.

    Raises ToolError before anything is written if identity or file cannot be used.
    """
    complete = identity.complete()
    target = FileTarget(flash)
    plan = prepare(target, complete, log=log)
    if not dry_run:
        write(target, plan)
    return complete


def prepare(
    target: FlashTarget,
    identity: Identity,
    log: str = "",
    partitions: Iterable[Partition] = (),
) -> Plan:
    """Read the board and make the plan. Nothing is written. identity: complete.

    log: KEEP or ERASE the counts on the board, which permits another node id. "": the log stays,
    and the node id must be the same. partitions: those of the board, compared if given. Raises
    ToolError.
    """
    table = _table(target)
    nvs, ring = _find(target, table, "nvs"), _find(target, table, "ring")
    if partitions and set(table) != set(partitions):
        raise ToolError(
            _("{target}: the partition table is not that of the board").format(target=target.name),
            _("Write the image first: tallypost flash"),
        )
    old = target.read(nvs.offset, nvs.size)
    on_board = preserved_state.from_nvs(nvs_reader.parse(old))
    in_journal = Journal(target.mac).read() if target.mac else PreservedState()
    digest = preserved_state.keys_digest(identity.lora)
    state = preserved_state.merge(on_board, in_journal, digest)
    is_blank = target.is_blank(ring.offset, ring.size)
    if log not in (KEEP, ERASE):
        _check_owner(target.name, state.node, identity.node, is_blank)
    contents = _contents(identity, state)
    image = nvs_image.make(contents, nvs.size)
    return Plan(
        identity, nvs, contents, image, state, state.node,
        id_pages=nvs_reader.pages_with_key(old, "id"),
        log_to_erase=ring if log == ERASE and not is_blank else None,
    )  # fmt: skip


def write(target: FlashTarget, plan: Plan) -> None:
    """Execute a plan and read it back. Raises ToolError. A cut call can be repeated."""
    nvs = plan.nvs
    journal = Journal(target.mac) if target.mac else None
    if journal:
        journal.write(replace(plan.state, node=plan.previous_node))
    _erase_pages(target, nvs, plan.id_pages)
    target.erase(nvs.offset, nvs.size)
    if plan.log_to_erase:
        target.erase(plan.log_to_erase.offset, plan.log_to_erase.size)
        if journal:  # from here on the counts of the previous node are gone
            journal.write(replace(plan.state, node=plan.identity.node))
    try:
        target.write(nvs.offset, plan.image.rstrip(b"\xff"))
        back = target.read(nvs.offset, nvs.size)
        if back != plan.image or nvs_reader.parse(back) != plan.contents:
            raise ToolError(
                _("{target}: the identity was written but does not read back").format(
                    target=target.name
                ),
                _("Use a shorter cable or another board, then run the same command again."),
            )
    except ToolError:
        with suppress(
            ToolError
        ):  # a board that is gone has no identity: its last entry is missing
            id_pages = nvs_reader.pages_with_key(target.read(nvs.offset, nvs.size), "id")
            _erase_pages(target, nvs, id_pages)
        raise
    if journal:
        journal.delete()


def _erase_pages(target: FlashTarget, nvs: Partition, pages: list[int]) -> None:
    for page in pages:
        target.erase(nvs.offset + page * PAGE, PAGE)


def _contents(identity: Identity, state: PreservedState) -> Contents:
    """The entries in the order in which they are written, the node id last."""
    contents: Contents = {preserved_state.LORA: dict(state.lora)} if state.lora else {}
    contents[NAMESPACE] = {"boot": state.boot, **identity.entries}
    return contents


def _check_owner(name: str, previous: str, node: str, is_blank: bool) -> None:
    """Raises ToolError if counts of one node would be sent as those of another."""
    if previous == node or (is_blank and not previous):
        return
    if previous:
        what = _("{target}: This board is provisioned as '{previous}'")
    else:
        what = _("{target}: This board holds counts of an unknown node")
    advice = _(
        "To make it '{node}', add --log erase (discard its counts) or --log keep (send them as"
        " '{node}')."
    )
    raise ToolError(what.format(target=name, previous=previous), advice.format(node=node), USAGE)


def _table(target: FlashTarget) -> list[Partition]:
    try:
        return unpack(target.read(TABLE_OFFSET, TABLE_SIZE))
    except (ValueError, IndexError) as error:
        board = _("Write the image first: tallypost flash")
        file = _("To make a flash file, run: tallypost build")
        raise ToolError(f"{target.name}: {error}", board if target.mac else file) from error


def _find(target: FlashTarget, table: list[Partition], label: str) -> Partition:
    """The partition with this label. Raises ToolError if the flash does not hold it."""
    advice = _("Write the image of this board, then run the same command again.")
    for partition in table:
        if partition.label == label:
            if partition.end > target.size:
                what = _("{target}: the file is shorter than its partition table says")
                raise ToolError(what.format(target=target.name), advice)
            return partition
    what = _("{target}: the partition table has no '{label}'")
    raise ToolError(what.format(target=target.name, label=label), advice)
