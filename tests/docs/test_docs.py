"""The documentation says what the program does: every command, option and key, no more and no less, no dead link.

The tables in `docs/` are read as data. A test names everything that is wrong at once, so that one run is enough.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from abuse_pipeline.cli.main import cli
from abuse_pipeline.settings import Settings, section_of

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
IN_EVERY_COMMAND = "Every command"


# Markdown as data


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the project, and none of what tools leave beside it."""
    return tuple(
        file
        for file in sorted(ROOT.rglob("*.md"))
        if not any(step.startswith(".") or step in ("build", "dist") for step in file.relative_to(ROOT).parts)
    )


def without_code(text: str) -> str:
    """*text* with its fenced blocks blanked: what stands there is neither a heading nor a link."""
    return re.sub(r"^(```|~~~).*?^\1[ \t]*$", "", text, flags=re.MULTILINE | re.DOTALL)


def sections(file: Path) -> dict[str, str]:
    """Heading -> what stands below it, up to the next heading of any level."""
    pieces = re.split(r"^#{1,6} +(.+?) *#*$", without_code(text_of(file)), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def plain(heading: str) -> str:
    return heading.replace("`", "").strip("[] ")


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row in *text*, headers and rulers left out."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rulers = [number for number, row in enumerate(rows) if all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return [row for number, row in enumerate(rows) if number not in rulers and number + 1 not in rulers]


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def fenced(file: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(file), re.MULTILINE | re.DOTALL)


# Commands


@cache
def commands() -> dict[str, click.Command]:
    """``abuse cases list`` -> its command. What cannot be imported fails the test, by name."""
    return dict(_below(cli, ("abuse",)))


def _below(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        shown = " ".join((*path, name))
        try:
            found = group.get_command(context, name)
        except ImportError as error:
            pytest.fail(f"`{shown}` cannot be imported: {error}")
        assert found is not None, f"`{shown}` is listed and not there"
        if isinstance(found, click.Group):
            yield from _below(found, (*path, name))
        else:
            yield shown, found


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def documented_commands() -> dict[str, str]:
    return {plain(heading): text for heading, text in sections(DOCS / "commands.md").items()}


def options_in(text: str) -> set[str]:
    """The options that a section's table explains: its first column."""
    return {option for row in table_rows(text) for option in re.findall(r"--[a-z][a-z-]*", row[0])}


def test_every_command_is_documented_and_no_other() -> None:
    documented = {heading for heading in documented_commands() if heading.startswith("abuse ")}

    assert documented == set(commands())


def test_every_option_is_documented_and_no_other() -> None:
    documented = documented_commands()
    shared = options_in(documented[IN_EVERY_COMMAND])
    problems = []
    for name, command in commands().items():
        explained = options_in(documented.get(name, ""))
        problems += [f"{name}: {option} is not documented" for option in options_of(command) - explained - shared]
        problems += [f"{name}: there is no {option}" for option in explained - options_of(command)]
        problems += [f"{name}: has no {option} that every command has" for option in shared - options_of(command)]

    assert not problems, "\n".join(problems)


def test_every_command_shows_an_example_in_its_help_and_in_the_page() -> None:
    shown = "\n".join(fenced(DOCS / "commands.md", "console"))
    problems = []
    for name, command in commands().items():
        _, _, example = (command.help or "").partition("Example:")
        if name not in example:
            problems.append(f"`{name} --help` has no example")
        if not re.search(rf"^\$ {name}\b", shown, re.MULTILINE):
            problems.append(f"docs/commands.md has no example of `{name}`")

    assert not problems, "\n".join(problems)


def test_examples_on_every_page_call_commands_and_options_that_exist() -> None:
    """A line of a console block that begins with `abuse` is a promise that it can be typed."""
    problems = []
    for page in pages():
        for line in "\n".join(fenced(page, "console")).replace("\\\n", " ").splitlines():
            for call in re.findall(r"(?:^|[|;&$] *|\S*/bin/)abuse +([^|;&#]*)", line):
                problems += [f"{page.relative_to(ROOT)}: {line.strip()!r}: {why}" for why in wrong_in(call)]

    assert not problems, "\n".join(problems)


def wrong_in(call: str) -> Iterator[str]:
    """What cannot be typed of ``cases list --customer C-1042`` and its like."""
    words = call.split()
    name = next((n for n in (f"abuse {' '.join(words[:2])}", f"abuse {words[0]}") if n in commands()), None)
    if name is None:
        if not words[0].startswith("--"):
            yield "no such command"
        return
    known = options_of(commands()[name]) | {"--help"}
    yield from (f"no option {word}" for word in words if word.startswith("--") and word.partition("=")[0] not in known)


# Settings


def keys_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, FieldInfo]]:
    """(section, key, field) of every key of the configuration."""
    for key, field in model.model_fields.items():
        if model is Settings and key == "file":
            continue
        inner = section_of(model, key)
        if inner is None:
            yield ".".join(path), key, field
        else:
            yield from keys_of(inner, (*path, key))


def documented_keys() -> dict[tuple[str, str], list[str]]:
    """(section, key) -> the cells of its row. A section of the configuration is a heading in brackets."""
    return {
        (plain(heading), code_in(row[0])[0]): row
        for heading, text in sections(DOCS / "configuration.md").items()
        if plain(heading) != heading.strip("`")
        for row in table_rows(text)
    }


def test_every_key_is_documented_in_its_own_section_and_no_other() -> None:
    assert set(documented_keys()) == {(section, key) for section, key, _ in keys_of(Settings)}


def test_documented_defaults_are_the_defaults() -> None:
    """The last column is the default as TOML, or `required`, or `none`."""
    documented = documented_keys()
    problems = []
    for section, key, field in keys_of(Settings):
        shown = documented[section, key][-1].strip("`")
        if (shown == "required") != field.is_required():
            problems.append(f"[{section}] {key}: the page says {shown}, the program requires it: {field.is_required()}")
        elif shown != "required" and default_as_documented(shown, field) != field.default:
            problems.append(f"[{section}] {key}: the page says {shown}, the program {field.default!r}")

    assert not problems, "\n".join(problems)


def default_as_documented(shown: str, field: FieldInfo) -> object:
    if shown == "none":
        return None
    value = tomllib.loads(f"value = {shown}")["value"]
    return TypeAdapter(field.rebuild_annotation()).validate_python(value)


@pytest.mark.parametrize("name", ["networks.csv", "group_companies.csv", "customers.csv", "assignments.csv"])
def test_every_column_of_the_csv_files_is_documented_and_no_other(name: str) -> None:
    lines = (ROOT / "config" / name).read_text(encoding="utf-8").splitlines()
    header = next(line for line in lines if not line.startswith("#"))
    rows = table_rows(sections(DOCS / "configuration.md")[f"`{name}`"])

    assert [row[0].strip("`") for row in rows] == header.split(",")


def test_every_environment_variable_is_documented_and_no_other() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "abuse_pipeline").rglob("*.py"))
    used = set(re.findall(r"""["'`](ABUSE_[A-Z]+)["'`]""", code))
    rows = table_rows(sections(DOCS / "configuration.md")["Environment"])

    assert {row[0].strip("`") for row in rows} == used


# What stands in other files


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, object] = tomllib.load(file)["project"]
    return found


def test_every_dependency_has_its_reason() -> None:
    dependencies = project()["dependencies"]
    assert isinstance(dependencies, list)
    needed = {re.split(r"[\[<>=]", line)[0] for line in dependencies}
    rows = table_rows(sections(DOCS / "dependencies.md")["What the desk runs on"])
    named = [name for row in rows for name in code_in(row[0])]

    assert sorted(named) == sorted(needed)
    assert all(len(row) == 3 and row[1] and row[2] for row in rows), "each has a reason and an alternative"


@pytest.mark.parametrize(("group", "page"), [("parsers", "parsers.md"), ("enrichers", "enrichers.md")])
def test_every_built_in_plugin_is_documented_and_no_other(group: str, page: str) -> None:
    points = project()["entry-points"]
    assert isinstance(points, dict)
    rows = table_rows(sections(DOCS / page)["What comes with the desk"])

    assert {row[0].strip("`") for row in rows} == set(points[f"abuse_pipeline.{group}"])


def test_every_page_stands_in_the_index() -> None:
    linked = {target.partition("#")[0] for _, target in links_of(DOCS / "README.md")}

    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= linked


# Links and paths


def links_of(page: Path) -> list[tuple[str, str]]:
    """(text, target) of every link and picture of *page*, those to other sites left out."""
    text = re.sub(r"`[^`\n]*`", "", without_code(text_of(page)))
    found = re.findall(r"\[([^\]]*)\]\(<?([^()\s>]+)>?(?: +\"[^\"]*\")?\)", text)
    found += [("", target) for target in re.findall(r"<(?:img|source)[^>]*?(?:src|srcset)=\"([^\"]+)\"", text)]
    return [(name, target) for name, target in found if not re.match(r"[a-z][a-z+.-]*:", target)]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of *page*."""
    seen: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", without_code(text_of(page)), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        anchors.add(f"{slug}-{number}" if number else slug)
    return anchors


def test_no_link_is_dead() -> None:
    problems = []
    for page in pages():
        for _, target in links_of(page):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            where = f"{page.relative_to(ROOT)}: {target}"
            if not file.exists() or not file.is_relative_to(ROOT):
                problems.append(f"{where}: there is no such file in the project")
            elif anchor and file.suffix == ".md" and anchor not in anchors_of(file):
                problems.append(f"{where}: there is no such heading")

    assert not problems, "\n".join(problems)


def test_no_page_names_a_path_of_somebodys_machine() -> None:
    problems = [
        f"{page.relative_to(ROOT)}: {found}"
        for page in (*pages(), *DOCS.glob("*.svg"))
        for found in re.findall(r"(?<![\w./])/(?:work|root|home/\w+|Users/\w+)(?:/\S*)?(?!\w)", text_of(page))
    ]

    assert not problems, "\n".join(problems)


# The examples that a reader copies


def test_the_parser_of_the_page_works_as_a_file_in_the_plugin_folder(tmp_path: Path) -> None:
    from abuse_pipeline.api import ParseContext, read_mail
    from abuse_pipeline.plugins import find_plugins
    from abuse_pipeline.settings import MailLimits

    (tmp_path / "example_sensor.py").write_text(fenced(DOCS / "parsers.md", "python")[0], encoding="utf-8")
    report = fenced(DOCS / "parsers.md", "text")[0].encode()
    plugins = find_plugins(tmp_path)
    context = ParseContext(MailLimits())
    mail = read_mail(report, MailLimits())

    assert not [problem for problem in plugins.problems if "example_sensor" in str(problem)]
    parser = plugins.parsers["example_sensor"]
    others = [other.recognise(mail, context).strength for name, other in plugins.parsers.items() if other is not parser]
    assert parser.recognise(mail, context).strength > max(others)
    (incident,) = parser.parse(mail, context).incidents
    assert (str(incident.source_ip), incident.category, incident.type) == ("192.0.2.7", "connection", "login_attack")
    assert incident.source_time is not None
    assert incident.source_time.at.isoformat() == "2026-11-20T05:03:12+00:00"
    assert parser.recognise(read_mail(b"From: a@example.jp\r\n\r\nhello", MailLimits()), context).strength == 0


def test_the_enricher_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    import asyncio
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from abuse_pipeline.api import LookupContext
    from abuse_pipeline.plugins import find_plugins

    (tmp_path / "example_list.py").write_text(fenced(DOCS / "enrichers.md", "python")[0], encoding="utf-8")
    plugins = find_plugins(tmp_path)
    context = LookupContext(datetime(2026, 11, 20, tzinfo=UTC), timedelta(seconds=1))

    assert not [problem for problem in plugins.problems if "example_list" in str(problem)]
    (finding,) = asyncio.run(plugins.enrichers["example_list"].lookup(ip_address("192.0.2.7"), context))
    assert (finding.source, finding.subject) == ("example_list", "192.0.2.7")


def test_the_notice_of_the_readme_is_what_the_program_writes() -> None:
    from datetime import UTC, datetime

    from abuse_pipeline.assess import assess
    from abuse_pipeline.cli.explain import readable
    from abuse_pipeline.desk import build_desk
    from abuse_pipeline.model import Envelope
    from abuse_pipeline.preview import preview_outgoing
    from abuse_pipeline.settings import load_settings

    desk = build_desk(load_settings(ROOT / "config" / "abuse.toml"))
    raw = (ROOT / "samples" / "forwarded_attachment" / "postfix-iso2022jp.eml").read_bytes()
    now = datetime(2026, 11, 22, 3, tzinfo=UTC)
    notice = preview_outgoing(assess(raw, Envelope(), desk, now), raw, Envelope(), desk, now)[0]
    written = re.sub(r"\[[A-Z0-9]+\]", "[TOKEN]", "\n".join(readable(notice.message, hide_receiver=False))).splitlines()
    shown = re.sub(r"\[[A-Z0-9]+\]", "[TOKEN]", fenced(ROOT / "README.md", "text")[0]).splitlines()

    assert notice.kind == "notice"
    assert [line for line in shown if line != "…" and line not in written] == []
