"""What `gov policy lint`, `test` and `explain` find out, and how it looks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli import render
from governance.cli.actors import actor_of
from governance.cli.inputs import json_value
from governance.cli.text import compact, visible
from governance.declarative.cases import Tried, mismatches, try_case
from governance.declarative.documents import read_document
from governance.declarative.expressions import EvaluationError, Expression
from governance.declarative.loading import built_policies, load_policies, validated
from governance.declarative.places import Document
from governance.declarative.rules import Allowing, Amending, DeclaredPolicy
from governance.declarative.schema import Case, PolicyFile, Require, TestFile
from governance.declarative.variables import Variables
from governance.domain.errors import ConfigurationError, GovernanceError
from governance.domain.policies import AnyMutation, Policy

Mutations = Sequence[type[AnyMutation]] | None
_ANSWERS = {"allow": "green", "deny": "red", "require": "yellow", "amend": "cyan", "invalid": "red"}


def looked_over(name: str, mutations: Mutations) -> dict[str, Any]:
    """Return what there is to say of a policy file: what is wrong with it, and what may be."""
    try:
        document = read_document(Path(name))
        file = validated(document, PolicyFile)
        policies = built_policies(document, file, _by_name(mutations))
    except ConfigurationError as error:
        return {"file": name, "problem": error.message, "line": _line(error), "warnings": [], "policies": []}
    return {
        "file": name,
        "problem": None,
        "line": None,
        "warnings": list(_warnings(document, file, policies)),
        "policies": [each.name for each in policies],
    }


def tested(name: str, mutations: Mutations) -> Iterator[dict[str, Any]]:
    """Yield the result of each test of a file."""
    document = read_document(Path(name))
    policies, cases = _tests(document, mutations)
    for index, case in enumerate(cases):
        place = f"{name}:{document.line(('tests', index)) or index + 1}"
        try:
            tried = try_case(case, policies, actor_of(case.actor), mutations)
            wrong = mismatches(case.expect, tried.judgement)
        except GovernanceError as error:
            wrong = [error.message]
        yield {"file": name, "place": place, "test": case.name, "passed": not wrong, "wrong": wrong}


def asked_case(mutation: str, texts: Mapping[str, str | None], given: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the case that options describe: JSON as text, and plain text; InputError for what is no JSON."""
    parsed = {key: json_value(text, field=key) for key, text in texts.items() if text is not None}
    payload = parsed.pop("data", {})
    return {
        **parsed,
        **{key: text for key, text in given.items() if text is not None},
        "name": "explain",
        "mutation": {"type": mutation, "payload": payload},
        "state_version": 1 if "state" in parsed else 0,
        "expect": {"decision": "allow"},
    }


def explained(name: str, asked: Mapping[str, Any], mutations: Mutations) -> dict[str, Any]:
    """Return what the policies of a file say to a mutation, and how each came to it."""
    document = read_document(Path(name))
    policies = built_policies(document, validated(document, PolicyFile), _by_name(mutations))
    case = validated(Document(name="explain", data=dict(asked)), Case)
    tried = try_case(case, policies, actor_of(case.actor), mutations)
    judged = tried.judgement
    return {
        "decision": judged.decision,
        "reason": judged.reason,
        "codes": list(judged.codes),
        "requirements": [each.model_dump(mode="json") for each in judged.requirements],
        "mutation": judged.mutation.model_dump(mode="json"),
        "policies": [_traced(each, tried) for each in sorted(policies, key=lambda each: (-each.priority, each.name))],
    }


def _tests(document: Document, mutations: Mutations) -> tuple[Sequence[Policy], tuple[Case, ...]]:
    if isinstance(document.data, dict) and "files" in document.data:
        test_file = validated(document, TestFile)
        folder = Path(document.name).parent
        loaded = (load_policies(folder / each, mutations=mutations) for each in test_file.files)
        return [each for policies in loaded for each in policies], test_file.tests
    file = validated(document, PolicyFile)
    return built_policies(document, file, _by_name(mutations)), file.tests


def _warnings(document: Document, file: PolicyFile, policies: Sequence[DeclaredPolicy]) -> Iterator[dict[str, Any]]:
    used = {
        name
        for part in file.policies
        for action in (part.then, part.otherwise)
        if isinstance(action, Require)
        for name in action.require
    }
    for name in file.requirements:
        if name not in used:
            yield _warning(document, ("requirements", name), f"requirement {name} is required by no policy")
    for index, policy in enumerate(policies):
        place = ("policies", index)
        if not policy.applies_to:
            yield _warning(document, place, f"policy {policy.name} applies to every mutation: it has no applies_to")
        if isinstance(policy.declared.then, Allowing) and isinstance(policy.declared.otherwise, Allowing):
            yield _warning(document, place, f"policy {policy.name} allows everything")
        if not policy.declared.when.variables and policy.declared.when.source != "true":
            yield _warning(
                document, (*place, "when"), f"policy {policy.name} looks at nothing: it always says the same"
            )


def _warning(document: Document, place: Sequence[str | int], text: str) -> dict[str, Any]:
    return {"line": document.line(place), "message": text}


def _traced(policy: DeclaredPolicy, tried: Tried) -> dict[str, Any]:
    applies = policy.applies(tried.mutation, type(tried.state))
    told: dict[str, Any] = {"name": policy.name, "applies": applies, "applies_to": list(policy.applies_to)}
    if not applies:
        return {**told, "answer": None, "expressions": []}
    variables, rule = Variables(tried.mutation, tried.state, tried.context), policy.declared
    when = _value(rule.when, variables, "when")
    parts = [_value(each, variables, "when, in part") for each in rule.when.parts]
    chosen = {True: rule.then, False: rule.otherwise}.get(when["value"]) if "error" not in when else None
    amending = chosen.payload if isinstance(chosen, Amending) else {}
    values = [_value(each, variables, f"amend.payload.{name}") for name, each in amending.items()]
    answer = tried.judgement.answers.get(policy.name)
    return {**told, "answer": answer, "expressions": [when, *parts, *values]}


def _value(expression: Expression, variables: Variables, place: str) -> dict[str, Any]:
    told: dict[str, Any] = {"place": place, "expression": expression.source.strip()}
    try:
        return {**told, "value": expression.json_value(variables)}
    except EvaluationError as error:
        return {**told, "error": str(error)}


def _line(error: ConfigurationError) -> int | None:
    line = error.ids.get("line")
    return int(line) if line is not None else None


def _by_name(mutations: Mutations) -> dict[str, type[AnyMutation]] | None:
    return None if mutations is None else {each.mutation_type: each for each in mutations}


def lint_view(reports: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what is wrong and what may be, file by file."""
    parts: list[RenderableType] = []
    for each in reports:
        if each["problem"]:
            parts.append(Text.assemble(("wrong  ", "bold red"), visible(each["problem"], limit=2000)))
            continue
        count = len(each["policies"])
        told = f"{visible(each['file'])}: {count} {'policy' if count == 1 else 'policies'}"
        parts.append(Text.assemble(("ok     ", "bold green"), told))
        for warning in each["warnings"]:
            line = f"line {warning['line']}: " if warning["line"] else ""
            parts.append(Text.assemble(("look   ", "bold yellow"), f"  {line}{visible(warning['message'])}"))
    return Group(*parts)


def test_view(results: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return a line for each test, and what was wrong with those that failed."""
    if not results:
        return Text("There is no test: write some under `tests`.", style="red")
    rows = [
        (
            Text("passed" if each["passed"] else "FAILED", style="green" if each["passed"] else "bold red"),
            Text(visible(each["test"])),
            Text("\n".join(visible(wrong) for wrong in each["wrong"])),
        )
        for each in results
    ]
    failed = sum(not each["passed"] for each in results)
    total = Text(f"\n{len(results) - failed} passed, {failed} failed", style="bold red" if failed else "bold green")
    return Group(render.grid(rows), total)


def explain_view(result: Mapping[str, Any]) -> RenderableType:
    """Return the decision, then each policy with what its expressions came to."""
    decision = result["decision"]
    parts: list[RenderableType] = [Text(decision.upper(), style=f"bold {_ANSWERS[decision]}")]
    parts += [Text(visible(result["reason"], limit=2000))] if result["reason"] else []
    parts += [render.indented(Text(_required(each), style="yellow")) for each in result["requirements"]]
    if any(each["answer"] == "amend" for each in result["policies"]):
        parts.append(Text(f"amended: {compact(result['mutation']['payload'])}", style="cyan"))
    for policy in result["policies"]:
        parts += [render.heading(visible(policy["name"]), _said(policy))]
        parts += [render.indented(render.grid(map(_expression, policy["expressions"])))] * bool(policy["expressions"])
    return Group(*parts)


def _said(policy: Mapping[str, Any]) -> str:
    if not policy["applies"]:
        return f"does not apply: it is for {', '.join(map(visible, policy['applies_to']))}"
    return policy["answer"] or "was not asked: the mutation is not valid"


def _expression(each: Mapping[str, Any]) -> tuple[Text, ...]:
    value = Text(visible(each["error"]), style="red") if "error" in each else Text(compact(each["value"]))
    return Text(each["place"], style="dim"), Text(visible(" ".join(each["expression"].split()))), value


def _required(requirement: Mapping[str, Any]) -> str:
    who = " or ".join(f"{a['kind']} {visible(a['id'])}" for a in requirement["approvers"])
    return f"{visible(requirement['name'])}: {requirement['quorum']} of {who}"
