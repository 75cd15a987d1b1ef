"""Reads an OpenRPC document as strictly as a consumer could: what it does not name is an error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]  # Any: what a document holds, as deep as it is read here


class Contract:
    """An OpenRPC document that judges real results, notifications and params."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.methods: dict[str, Json] = {each["name"]: each for each in document["methods"]}
        self.notifications: dict[str, Json] = {
            each["name"]: each for each in document["x-notifications"]
        }
        self.error_codes = {each["code"] for each in document["x-errors"]}
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False

    def problems_of_result(self, method: str, result: object) -> list[str]:
        """What is wrong with a result of *method*; nothing when it is as documented."""
        return self._problems(self.methods[method]["result"]["schema"], result)

    def problems_of_notification(self, method: str, params: object) -> list[str]:
        """What is wrong with the params of a notification."""
        return self._problems(self.notifications[method]["params"], params)

    def problems_of_params(self, method: str, params: Json) -> list[str]:
        """What is wrong with the params of a request, members nobody documented included."""
        documented = {each["name"]: each for each in self.methods[method]["params"]}
        problems = [f"{name}: unknown" for name in params if name not in documented]
        for name, each in documented.items():
            if name in params:
                problems += self._problems(each["schema"], params[name])
            elif each.get("required", False):
                problems.append(f"{name}: missing")
        return problems

    def _problems(self, schema: Json, value: object) -> list[str]:
        whole = {**schema, "components": self._components}
        judge = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(value)]


def schemas_in(document: Json) -> Iterator[Json]:
    """Every JSON Schema of the document, each a whole one."""
    components = document["components"]
    for method in document["methods"]:
        for each in (*method["params"], method["result"]):
            yield {**each["schema"], "components": components}
    for notification in document["x-notifications"]:
        yield {**notification["params"], "components": components}
    for schema in components["schemas"].values():
        yield {**schema, "components": components}


def references_in(value: object) -> Iterator[str]:
    """Every `$ref` of the document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)
