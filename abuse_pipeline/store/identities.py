"""Reporters: who they are stands in the vault, what they are called everywhere else is their pseudonym."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as insert_or

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.model import Identity
from abuse_pipeline.privacy.pseudonyms import LONGEST, SHORTEST, address_hmac, domain_token, pseudonym_of_hmac
from abuse_pipeline.store import codec
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.room import Room
from abuse_pipeline.store.schema import vault_identities


class Identities(Room):
    @property
    def pseudonym_key(self) -> bytes:
        """The secret behind the pseudonyms, for `privacy.pseudonyms.pseudonym`. Never printed."""
        return self._key

    def pseudonym(self, address: str) -> str:
        """What the reporter with this *address* is called; a new one is not stored by asking.

        ``R-`` and 6 characters, or more where another reporter has those already.
        """
        digest = address_hmac(self._key, address)
        with self._database.reading() as transaction:
            return _known(transaction, digest) or _free_name(transaction, digest)

    def domain_token(self, domain: str) -> str:
        """What the reporters' registered *domain* is called in `Learning`; it cannot be turned back."""
        return domain_token(self._key, domain)


def keep_identity(transaction: Transaction, key: bytes, identity: Identity | None, now: datetime) -> str | None:
    """Put *identity* into the vault and give its pseudonym; None when it names nobody."""
    if identity is None or not (identity.address or identity.name):
        return None
    # A name without an address: the prefix holds a character that no address has.
    digest = address_hmac(key, identity.address or f"name:\n{identity.name}")
    known = _known(transaction, digest)
    if known is not None:
        return known
    row = {"hmac": digest, "identity": codec.identity_to_json(identity), "first_seen": now}
    for _ in range(3):  # another worker may take the name, or bring the same reporter, between look and insert
        row["pseudonym"] = _free_name(transaction, digest)
        transaction.run(insert_or(vault_identities).on_conflict_do_nothing(), row)
        known = _known(transaction, digest)
        if known is not None:
            return known
    raise StoreUnavailable("no free pseudonym was found", todo="try again")


def _known(transaction: Transaction, digest: str) -> str | None:
    found = transaction.value(select(vault_identities.c.pseudonym).where(vault_identities.c.hmac == digest))
    return None if found is None else str(found)


def _free_name(transaction: Transaction, digest: str) -> str:
    names = [pseudonym_of_hmac(digest, length) for length in range(SHORTEST, LONGEST + 1)]
    column = vault_identities.c.pseudonym
    taken = {row.pseudonym for row in transaction.rows(select(column).where(column.in_(names)))}
    return next(name for name in names if name not in taken)
