"""Provisioning: an identity into the NVS partition of a board, or of a flash file.

The order is what keeps a board that loses its power from counting as half a node: first the page
that holds the old node id goes, then the rest of the partition, then everything is written from
the first page on, with the new node id as its very last entry. In between there is no identity,
and the firmware refuses to count; a seal over identity and secrets (identity.py) tells it of what
an order cannot prevent. Node id, configuration and secrets stay in NVS when the file system is
flashed anew; secrets are never printed, and never enter a shared image.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tallypost.faults import USAGE, ToolError
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, Partition, unpack
from tallypost.provisioning import preserved_state
from tallypost.provisioning import nvs_image
from tallypost.provisioning import nvs_reader
from tallypost.provisioning.preserved_state import PreservedState, Journal
from tallypost.provisioning.identity import NAMESPACE, Identity, LoraKeys
from tallypost.provisioning.flash_target import FileTarget, FlashTarget
from tallypost.provisioning.nvs_reader import PAGE, Contents

__all__ = ("Identity", "LoraKeys", "Plan", "prepare", "provision", "write")
KEEP, ERASE = "keep", "erase"


@dataclass(frozen=True)
class Plan:
    """What is to be written where. was: the node id so far, "" if there is none.

    naming: the pages of NVS that bear a node id, whole or not.
    """

    identity: Identity
    nvs: Partition
    contents: Contents
    image: bytes
    kept: PreservedState
    was: str
    naming: list[int]
    erase_log: Partition | None

    @property
    def carried(self) -> dict[str, int]:
        """The numbers that go on, for whoever wants to see them."""
        found = {"boot": self.kept.boot} if self.kept.boot else {}
        return found | ({"dev_nonce": self.kept.dev_nonce} if self.kept.dev_nonce else {})


def provision(flash: Path, identity: Identity, dry_run: bool = False, log: str = "") -> Identity:
    """Write an identity into a flash file and read it back; returns it with its secrets.

    Raises ToolError before anything is written when identity or file are not acceptable.
    """
    whole = identity.complete()
    target = FileTarget(flash)
    plan = prepare(target, whole, log=log)
    if not dry_run:
        write(target, plan)
    return whole


def prepare(
    target: FlashTarget,
    identity: Identity,
    log: str = "",
    partitions: Iterable[Partition] = (),
) -> Plan:
    """Read the board and decide; nothing is written. identity: complete.

    log: KEEP or ERASE what the ring log holds, which permits another node id; "" = the log stays,
    and so must the node id. partitions: those that the board must have. Raises ToolError.
    """
    table = _table(target)
    nvs, ring = _find(target, table, "nvs"), _find(target, table, "ring")
    if partitions and set(table) != set(partitions):
        raise ToolError(
            f"{target.name}: its partition table is not the board's",
            "tallypost flash writes the image first",
        )
    old = target.read(nvs.offset, nvs.size)
    board = preserved_state.from_nvs(nvs_reader.parse(old))
    note = Journal(target.mac).read() if target.mac else PreservedState()
    kept = preserved_state.merge(board, note, preserved_state.keys_digest(identity.lora))
    blank = target.is_blank(ring.offset, ring.size)
    if log not in (KEEP, ERASE):
        _check_owner(target.name, kept.node, identity.node, blank)
    contents = _contents(identity, kept)
    image = nvs_image.make(contents, nvs.size)
    return Plan(
        identity, nvs, contents, image, kept, kept.node,
        naming=nvs_reader.pages_with_key(old, "id"),
        erase_log=ring if log == ERASE and not blank else None,
    )  # fmt: skip


def write(target: FlashTarget, plan: Plan) -> None:
    """Carry out a plan and read it back; raises ToolError. What is cut can be repeated."""
    nvs = plan.nvs
    note = Journal(target.mac) if target.mac else None
    if note:
        note.write(PreservedState(plan.was, plan.kept.boot, plan.kept.keys, plan.kept.lora))
    _erase_pages(target, nvs, plan.naming)
    target.erase(nvs.offset, nvs.size)
    if plan.erase_log:
        target.erase(plan.erase_log.offset, plan.erase_log.size)
        if note:  # from here on the log is nobody's
            note.write(PreservedState(plan.identity.node, plan.kept.boot, plan.kept.keys, plan.kept.lora))
    try:
        target.write(nvs.offset, plan.image.rstrip(b"\xff"))
        back = target.read(nvs.offset, nvs.size)
        if back != plan.image or nvs_reader.parse(back) != plan.contents:
            raise ToolError(
                f"{target.name}: what was written reads back differently",
                "repeat the same command; with a shorter cable, or another board",
            )
    except ToolError:
        with suppress(ToolError):  # whoever has gone has no identity: its last entry is not there
            naming = nvs_reader.pages_with_key(target.read(nvs.offset, nvs.size), "id")
            _erase_pages(target, nvs, naming)
        raise
    if note:
        note.delete()


def _erase_pages(target: FlashTarget, nvs: Partition, pages: list[int]) -> None:
    for page in pages:
        target.erase(nvs.offset + page * PAGE, PAGE)


def _contents(identity: Identity, kept: PreservedState) -> Contents:
    """In the order in which it is written: the node id last."""
    contents: Contents = {preserved_state.LORA: dict(kept.lora)} if kept.lora else {}
    contents[NAMESPACE] = {"boot": kept.boot, **identity.entries}
    return contents


def _check_owner(name: str, was: str, node: str, blank: bool) -> None:
    """Counts of another node must not go out under this one's name, nor a node be lost."""
    if was == node or (blank and not was):
        return
    what = f"it is node '{was}'" if was else "its log holds counts of an unknown node"
    raise ToolError(
        f"{name}: {what}; it is not made '{node}' unasked",
        "--log erase removes what it has counted, --log keep sends that as the new node's",
        USAGE,
    )


def _table(target: FlashTarget) -> list[Partition]:
    try:
        return unpack(target.read(TABLE_OFFSET, TABLE_SIZE))
    except (ValueError, IndexError) as error:
        hint = "tallypost flash writes one" if target.mac else "tallypost build makes a flash file"
        raise ToolError(f"{target.name}: {error}", hint) from error


def _find(target: FlashTarget, table: list[Partition], label: str) -> Partition:
    for partition in table:
        if partition.label == label:
            if partition.end > target.size:
                raise ToolError(f"{target.name}: shorter than its partition table says")
            return partition
    raise ToolError(f"{target.name}: its partition table has no '{label}'")
