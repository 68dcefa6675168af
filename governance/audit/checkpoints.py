"""Making checkpoints: the tree brought up to date, compared with what was signed before, and signed."""

from datetime import datetime

from governance.audit.keeping import KeptTree
from governance.audit.keys import KeyStore
from governance.audit.notes import Checkpoint, NoteError, Signer
from governance.audit.proofs import Sized, consistency_holds
from governance.domain.errors import TamperedError


def make_checkpoint(tree: KeptTree, keys: KeyStore, signer: Signer, now: datetime) -> str:
    """Return a signed checkpoint of all that is settled; TamperedError when the last one signed contradicts it."""
    head = tree.catch_up()
    checkpoint = Checkpoint.at(signer.name, head.size, tree.root(head.size), position=head.position, time=now)
    signed_before = keys.latest(signer.name)
    if signed_before is not None:
        _refuse_contradiction(tree, _earlier(keys, signed_before, now), checkpoint)
    signed = signer.sign(checkpoint.text())
    keys.keep_latest(signer.name, signed)
    return signed


def _earlier(keys: KeyStore, signed: str, now: datetime) -> Checkpoint:
    try:
        return Checkpoint.parse(keys.verified(signed, now).text)
    except NoteError as error:
        msg = f"the last checkpoint in {keys.directory} is not one that counts: {error}"
        raise TamperedError(msg) from None


def _refuse_contradiction(tree: KeptTree, before: Checkpoint, now: Checkpoint) -> None:
    old, new = Sized(before.size, before.root), Sized(now.size, now.root)
    if old.size <= new.size and consistency_holds(old, new, tree.consistency(old.size, new.size)):
        return
    msg = (
        f"the log contradicts the checkpoint of {before.size} events signed before: it has {now.size} events "
        "and does not continue the signed ones; nothing was signed; gov audit verify says more"
    )
    raise TamperedError(msg, size=before.size)
