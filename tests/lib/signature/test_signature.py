"""The signature of settings, with one made by the package `cryptography`."""

from signature import canonical, verify

# RSA-3072, exponent 65537, over canonical("n1", 7, {"mqtt_host": "b", "mqtt_port": 8883}).
MODULUS = bytes.fromhex(
    "d479b8ed993ca0964bfdde6d5a2c83444918fa0c66335a043f2e94c47a40e392c4de16d13069d7e4938d698d"
    "606456135c175d92a5fe704b56daaf10c183ee5e11bc9d79b6c1fb19a2f00e6b79c9c5b5d39325a1b345172c"
    "0fde6a508669e91eba129d2f19477ceee5ad65a8564da66781305b13f4f509fad2b06bcf691012ff6371d029"
    "90148b7f027703411765005b85cff1020b2be14b289a85873ffd88de0b54e27c833f95517979962fd522d367"
    "9fca2363cf8ccfd02179279e537a030de720e1ff4dbe5e29d8448bc4c88639bd198ceaa62037fd58700627ce"
    "a78a78056610087dc1cf8635b11f68a03660d0f422063e207164785f1d4066129702067b750c5f2e948bac3a"
    "d4c98714ed2f5de9def3dcb8492782624e487b813aad8f84a23c17dcdb201303a371a8953b0525f5f20ef201"
    "8c4581f419bbbc75969d26c23e689b6a188feb48bcf9076f59d69d4be2c8d0ec1cd266b992d91cb7b754bdcf"
    "98b852cebc4e24af3ec7e425116c776b4aa0bd66b0e26558dbe977bbc17307e7"
)
SIGNATURE = (
    "cu17znYaQqf80YN3AfSJ3542aC+3siahvJk/YQGikKHPGkqKA3TQFBtL377YW6Jp4Z4HCPQtwwpKcB4bcMU1Bx1r"
    "f906kD9DRBFuWlYbgEO6Pcq5MC2yJzfV07O+bNwVv/V0yyhzF1wji5Q9kQUJvQQI8/voMjxWsVHxPv5m2JoBcX5P"
    "7r8H9YEvkoOsNaxMxutIDwRiFSz5bkoo4g7dgujT/0b2IGFfLagBIBuElh8Gky13kD2NplK/7CS7iulRdkhe1ZSi"
    "Fq5tMIonHnFdMhhZY7JAEVeoiLJ0pARAU+DvobEEVv4Uk+MijERjYU77NIJmgXGAHYXDnpD7sAqnmdjTqIuEBY6e"
    "oqL7Jnwqx2ZNGCzvH5FQWSEZkINNZCzWeUIIQPXNA169iJcQec7iNwFtjQtSitgPGDZc2uWBDPu4YQAQgiX3fOd+"
    "oIYIoBaBGV72ebAmdgVL4aZCjVf/BpN6LNfzjwYAfxZxuD3MeuvjSoYlZd+aa0fzwGs1CyqY"
)
CONFIG = {"mqtt_port": 8883, "mqtt_host": "b"}
TEXT = canonical("n1", 7, CONFIG)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def test_the_text_is_sorted_and_has_no_spaces():
    assert TEXT == b'tallypost config 1\nn1\n7\n{"mqtt_host":"b","mqtt_port":8883}'
    assert canonical("n1", 1, {"site": 'L\u00f6 "7"'}).endswith(b'{"site":"L\xc3\xb6 \\"7\\""}')


def test_a_good_signature_passes():
    assert verify(MODULUS, TEXT, SIGNATURE) is True


def test_another_text_node_or_serial_does_not_pass():
    for text in (
        canonical("n2", 7, CONFIG), canonical("n1", 8, CONFIG), canonical("n1", 7, {}), b"",
    ):  # fmt: skip
        assert verify(MODULUS, text, SIGNATURE) is False


def test_a_signature_with_one_character_changed_does_not_pass():
    for at in range(0, len(SIGNATURE), 16):
        other = ALPHABET[(ALPHABET.index(SIGNATURE[at]) + 1) % 64]
        assert not verify(MODULUS, TEXT, SIGNATURE[:at] + other + SIGNATURE[at + 1 :])


def test_another_modulus_does_not_pass():
    for at in (0, 100, 383):
        changed = bytearray(MODULUS)
        changed[at] ^= 2
        assert not verify(bytes(changed), TEXT, SIGNATURE)


def test_bad_input_is_refused_without_an_exception():
    for signature in (None, 7, b"x", "", "A", "?" * 512, "\u00e9" * 512, SIGNATURE[:-4],
                      SIGNATURE + "AAAA", "=" * 512, "A" * 512, "/" * 512):  # fmt: skip
        assert verify(MODULUS, TEXT, signature) is False
    for modulus in (b"", b"\xff" * 128, b"\xff" * 513, bytes(384), MODULUS[:-1] + b"\x00"):
        assert verify(modulus, TEXT, SIGNATURE) is False


def test_zero_and_one_are_no_signatures():
    from binascii import b2a_base64

    for number in (0, 1):
        text = b2a_base64(number.to_bytes(384, "big")).decode().strip()
        assert not verify(MODULUS, TEXT, text)


def test_values_that_cannot_be_signed_are_named():
    for value in (True, None, 1.5, [], "a\nb", "\x00"):
        try:
            canonical("n1", 1, {"site": value})
            raise AssertionError("no error")
        except ValueError as error:
            assert "site" in str(error)
