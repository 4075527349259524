"""RSA signatures over settings: verification only. See README.md."""

from signature.rsa import canonical, verify

__all__ = ("canonical", "verify")
