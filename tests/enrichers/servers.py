"""Real servers on loopback for the enrichers to ask: DNS over UDP and TCP, and RDAP over HTTP.

Both answer from what a test puts into them, as slowly and as wrongly as it asks for. Answers of the registries' shapes
are written by us after RFC 9083; nothing is copied from a registry.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

# --- DNS ------------------------------------------------------------------------------------------------------------


@dataclass
class DnsServer:
    """records: (owner, type) -> texts; wires: the same with wire-format names, for what no text can say.

    rcodes: owner -> answer code. delays: owner -> seconds. silent: owners that get no answer. garbage: owners answered
    with bytes that are no message. truncated: owners that must be asked again over TCP. asked: every (owner, type).
    """

    port: int = 0
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    wires: dict[str, list[dns.name.Name]] = field(default_factory=dict)
    rcodes: dict[str, str] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    garbage: set[str] = field(default_factory=set)
    truncated: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def answer(self, wire: bytes, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        name, kind = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        owner = name.to_text(omit_final_dot=True).lower()
        self.asked.append((owner, kind))
        await asyncio.sleep(self.delays.get(owner, 0))
        if owner in self.silent:
            return None
        if owner in self.garbage:
            return wire[:2] + b"\x80\x00\xff\xff" + b"\xc0" * 40
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if owner in self.truncated and not over_tcp:
            response.flags |= dns.flags.TC
            return response.to_wire()
        self._fill(response, name, kind, owner)
        return response.to_wire(max_size=65535 if over_tcp else 1232, prefer_truncation=True)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: str, owner: str) -> None:
        if owner in self.rcodes:
            response.set_rcode(dns.rcode.from_text(self.rcodes[owner]))
            return
        known = {key for key, _ in self.records} | set(self.wires)
        if owner not in known:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        alias = self.records.get((owner, "CNAME"))
        if alias:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", alias[0]))
            name, owner = dns.name.from_text(alias[0]), alias[0].rstrip(".").lower()
        if texts := self.records.get((owner, kind)):
            response.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *texts))
        if kind == "PTR" and owner in self.wires:
            from dns.rdtypes.ANY.PTR import PTR

            records = [PTR(dns.rdataclass.IN, dns.rdatatype.PTR, target) for target in self.wires[owner]]
            response.answer.append(dns.rrset.from_rdata_list(name, 300, records))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer, tasks: set[asyncio.Task[None]]) -> None:
        self._server, self._tasks = server, tasks

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.create_task(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := await self._server.answer(data, over_tcp=False)) is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    server, tasks = DnsServer(), set[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()
    stream = await asyncio.start_server(lambda reader, writer: _stream(server, reader, writer), "127.0.0.1", 0)
    server.port = stream.sockets[0].getsockname()[1]
    datagrams, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(server, tasks), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        datagrams.close()
        stream.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stream(server: DnsServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        length = int.from_bytes(await reader.readexactly(2), "big")
        answer = await server.answer(await reader.readexactly(length), over_tcp=True)
        if answer is not None:
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()
    writer.close()


# --- RDAP -----------------------------------------------------------------------------------------------------------


@dataclass
class RdapReply:
    """delay: seconds before the status line. drip: seconds between the bytes of the body. size: pads the body."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    drip: float = 0
    endless: bool = False

    @classmethod
    def of(cls, document: object, **more: Any) -> RdapReply:
        return cls(json.dumps(document).encode(), **more)


@dataclass
class RdapServer:
    """replies: path below the base URL, like ``ip/2001:db8::7``. asked: every path, with the Accept header it had."""

    port: int = 0
    replies: dict[str, RdapReply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rdap"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split()[1].removeprefix("/rdap/")
            accept = next((line.partition(":")[2].strip() for line in head if line.lower().startswith("accept:")), "")
            self.asked.append((path, accept))
            await self._reply(writer, self.replies.get(path, RdapReply(status=404)))
        writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, reply: RdapReply) -> None:
        await asyncio.sleep(reply.delay)
        headers = {"Content-Type": "application/rdap+json", "Connection": "close", **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if reply.drip:
            for byte in reply.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(reply.drip)
        writer.write(reply.body)
        while reply.endless:
            writer.write(b" " * 65536)
            await writer.drain()
        await writer.drain()


@asynccontextmanager
async def rdap_server() -> AsyncIterator[RdapServer]:
    server, tasks = RdapServer(), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- answers of the registries' shapes (RFC 9083 sections 5.1 and 5.4) ----------------------------------------------


def card(*lines: list[Any]) -> list[Any]:
    return ["vcard", [["version", {}, "text", "4.0"], *lines]]


def email(address: object, pref: object = None) -> list[Any]:
    return ["email", {} if pref is None else {"pref": pref}, "text", address]


def entity(handle: str, roles: list[str], *lines: list[Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"objectClassName": "entity", "handle": handle, "roles": roles}
    if lines:
        found["vcardArray"] = card(["fn", {}, "text", handle], *lines)
    return {**found, **more}


def network(*entities: object, name: str = "EXAMPLE-NET", **more: Any) -> dict[str, Any]:
    return {
        "objectClassName": "ip network",
        "rdapConformance": ["rdap_level_0"],
        "handle": "3fff:100:: - 3fff:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "startAddress": "3fff:100::",
        "endAddress": "3fff:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ipVersion": "v6",
        "name": name,
        "type": "ALLOCATED",
        "country": "JP",
        "entities": list(entities),
        **more,
    }


def shapes(contact: str) -> dict[str, dict[str, Any]]:
    """How each registry nests its abuse contact."""
    abuse = email(contact)
    return {
        # A point of contact inside the organisation.
        "arin": network(
            entity("EXORG", ["registrant"], ["adr", {"label": "1 Example St"}, "text", [""] * 7],
                   entities=[entity("TECH1", ["technical", "noc"], email("noc@isp.example")),
                             entity("ABUSE1", ["abuse"], abuse)])),
        # Beside the others; the organisation is named by handle only.
        "ripe": network(entity("ORG-EX1", ["registrant"]),
                        entity("EX-ABUSE", ["abuse"], ["kind", {}, "text", "group"], abuse)),
        # An incident response team; e-mail carries a preference.
        "apnic": network(
            entity("IRT-EX-AP", ["abuse"], email("team@isp.example", "2"), email(contact, "1")),
            entity("EX1-AP", ["administrative", "technical"], email("admin@isp.example"))),
        # One entity with several roles, the country's registry as remark.
        "jpnic": network(
            entity("JNIC-EX-AP", ["administrative", "technical", "abuse"], abuse), name="日本語 NET",
            remarks=[{"title": "description", "description": ["allocated through the national registry"]}]),
        "lacnic": network(entity("EX-LACNIC", ["registrant"], email("owner@isp.example"),
                                 entities=[entity("EXA", ["abuse"], abuse)]),
                          legalRepresentative="Someone"),
        "afrinic": network(entity("ORG-EX-AFRINIC", ["registrant"], entities=[entity("EX-AFRINIC", ["technical"],
                                  entities=[entity("EXD-AFRINIC", ["abuse", "noc"], abuse)])])),
    }  # fmt: skip
