"""AES-CMAC and LoRaWAN's keys and codes, against published and cross-checked vectors."""

from binascii import hexlify, unhexlify

from lorawan_node import refused

from lorawan.crypto import DOWN, UP, Key
from lorawan.frames import Identity, JoinAccept, build_join_request

# RFC 4493, section 4: key, message of 64 bytes, codes of its first 0, 16, 40 and 64 bytes.
RFC_KEY = unhexlify("2b7e151628aed2a6abf7158809cf4f3c")
RFC_MESSAGE = unhexlify(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
RFC_CODES = (
    (0, "bb1d6929e95937287fa37d129b756746"), (16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (40, "dfa66747de9ae63030ca32611497c827"), (64, "51f0bebf7e3b9d92fc49741779363cfe"),
)  # fmt: skip
# A data frame and its keys; lora-packet, tshark and MicroPython agree on it.
FRAME = unhexlify("40F17DBE4900020001954378762B11FF0D")
NWK_KEY = unhexlify("44024241ed4ce9a68c6a8bc055233fd3")
APP_KEY = unhexlify("ec925802ae430ca77fd3dd73cb2cc588")
ADDR = 0x49BE7DF1
# A join: both frames and the keys of the session; the same three agree.
ROOT_KEY = unhexlify("00112233445566778899aabbccddeeff")
JOIN_EUI, DEV_EUI = unhexlify("70B3D57ED0000001"), unhexlify("0004A30B001C0530")
REQUEST = "00010000d07ed5b37030051c000ba3040001005ee3e667"
ACCEPT = unhexlify("20b3a92b07e5866c530cc4002743c3e2055c54464f18f56202265b97ee70b6b577")
NWK_SKEY, APP_SKEY = "0eefb98de4af7af2bf34536bdf61555e", "ef6d49e996790e5781a5c52313e7a611"


def test_cmac_gives_the_vectors_of_rfc_4493():
    key = Key(RFC_KEY)
    for size, code in RFC_CODES:
        assert hexlify(key.cmac(RFC_MESSAGE[:size])).decode() == code


def test_mic_and_text_of_a_data_frame_agree_with_other_decoders():
    assert Key(NWK_KEY).mic(FRAME[:-4], ADDR, 2, UP) == int.from_bytes(FRAME[-4:], "little")
    text = bytearray(FRAME[9:-4])
    Key(APP_KEY).crypt(text, ADDR, 2, UP)
    assert text == b"test"
    Key(APP_KEY).crypt(text, ADDR, 2, UP)
    assert text == FRAME[9:-4]


def test_direction_counter_and_address_are_part_of_the_code():
    right = Key(NWK_KEY).mic(FRAME[:-4], ADDR, 2, UP)
    for addr, fcnt, direction in ((ADDR, 2, DOWN), (ADDR, 0x10002, UP), (ADDR + 1, 2, UP)):
        assert Key(NWK_KEY).mic(FRAME[:-4], addr, fcnt, direction) != right


def test_session_keys_agree_with_a_published_join():
    root = Key(unhexlify("98929b92c49edba9676d646d3b612456"))
    # JoinNonce 376338, NetID aabbcc and DevNonce f18e, each turned round as on air
    nonces = unhexlify("386337ccbbaa8ef1")
    assert hexlify(root.session_key(1, nonces)) == b"4e3d6e6afbcc67af2ba3c8e8ec4acf4b"
    assert hexlify(root.session_key(2, nonces)) == b"610897aa6f1460623443b527d3ac6a9d"


def test_a_join_request_has_the_published_bytes():
    buf = bytearray(23)
    assert build_join_request(buf, Identity(DEV_EUI, JOIN_EUI, ROOT_KEY), 1) == 23
    assert hexlify(buf).decode() == REQUEST


def test_a_join_accept_gives_keys_and_channel_list():
    join = JoinAccept(ACCEPT, Identity(DEV_EUI, JOIN_EUI, ROOT_KEY), 1)
    assert join.nonce == b"\1\0\0"
    assert hexlify(join.nwk_key).decode() == NWK_SKEY
    assert hexlify(join.app_key).decode() == APP_SKEY
    assert [int.from_bytes(join.cf_list[i : i + 3], "little") for i in range(0, 15, 3)] == [
        8_671_000, 8_673_000, 8_675_000, 8_677_000, 8_679_000,
    ]  # fmt: skip
    assert join.cf_list[15] == 0


def test_a_join_accept_with_one_wrong_bit_is_refused():
    who = Identity(DEV_EUI, JOIN_EUI, ROOT_KEY)
    for at in range(1, len(ACCEPT)):
        wrong = bytearray(ACCEPT)
        wrong[at] ^= 1 << at % 8
        assert refused(JoinAccept, bytes(wrong), who, 1) == "mic"
    assert refused(JoinAccept, ACCEPT[:-1], who, 1) == "length"
    assert refused(JoinAccept, b"\x60" + ACCEPT[1:], who, 1) == "type"
    assert refused(JoinAccept, b"\x21" + ACCEPT[1:], who, 1) == "major"


def test_keys_and_identities_of_a_wrong_length_are_refused():
    for key in (b"", b"k" * 15, b"k" * 17, b"k" * 32, "k" * 16, None):
        refused(Key, key)
    refused(Identity, DEV_EUI[:7], JOIN_EUI, ROOT_KEY)
    refused(Identity, DEV_EUI, JOIN_EUI + b"0", ROOT_KEY)
    refused(Identity, DEV_EUI, JOIN_EUI, ROOT_KEY[:8])
