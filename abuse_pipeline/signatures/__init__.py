"""DKIM and ARC signatures of well-known relays over a reported message: do they still verify? (RFC 6376, RFC 8617)

Only relays: who asks for the key of a sender's domain tells the sender that his mail was reported, since a selector may
be made for one recipient. So only signatures whose ``d=`` is a listed relay's are looked at, and a selector must look
ordinary before its key is asked for. Keys are asked for in the background (`look_up_keys`) and kept; a message is
checked with what is known by then.
"""

from abuse_pipeline.signatures.keys import KeyAnswer, answer_of, findings_of, look_up_keys
from abuse_pipeline.signatures.verify import verified, wanted_keys

__all__ = ["KeyAnswer", "answer_of", "findings_of", "look_up_keys", "verified", "wanted_keys"]
