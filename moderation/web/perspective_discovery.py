"""The discovery document of Perspective's API, from which Google's own clients are built."""

from typing import Any

_OBJECT = {"type": "object"}
_STRING = {"type": "string"}
_NUMBER = {"type": "number", "format": "float"}
_INTEGER = {"type": "integer", "format": "int32"}
_BOOLEAN = {"type": "boolean"}
_STRINGS = {"type": "array", "items": _STRING}


def document(root: str) -> dict[str, Any]:
    """`root`: where this service is, with a slash at the end."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "revision": "20260101",
        "title": "Comment Analyzer API",
        "description": "Probabilities that a comment has an attribute.",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": {
            "key": _STRING | {"location": "query", "description": "The site's key."},
            "alt": _STRING | {"location": "query", "default": "json", "enum": ["json"]},
            "fields": _STRING | {"location": "query"},
            "prettyPrint": _BOOLEAN | {"location": "query", "default": "true"},
            "quotaUser": _STRING | {"location": "query"},
        },
        "schemas": _schemas(),
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method(
                        "suggestscore", "SuggestCommentScore", "Suggests scores of a comment."
                    ),
                }
            }
        },
    }


def _method(name: str, schema: str, description: str) -> dict[str, Any]:
    path = f"v1alpha1/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "description": description,
        "httpMethod": "POST",
        "path": path,
        "flatPath": path,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{schema}Request"},
        "response": {"$ref": f"{schema}Response"},
    }


def _schemas() -> dict[str, Any]:
    given = {
        "comment": _ref("TextEntry"),
        "context": _ref("Context"),
        "languages": _STRINGS,
        "clientToken": _STRING,
        "communityId": _STRING,
        "sessionId": _STRING,
    }
    answered = {"clientToken": _STRING, "detectedLanguages": _STRINGS}
    found = {
        "AnalyzeCommentRequest": given
        | {
            "requestedAttributes": _map("AttributeParameters"),
            "doNotStore": _BOOLEAN,
            "spanAnnotations": _BOOLEAN,
        },
        "AnalyzeCommentResponse": answered
        | {"attributeScores": _map("AttributeScores"), "languages": _STRINGS},
        "SuggestCommentScoreRequest": given | {"attributeScores": _map("AttributeScores")},
        "SuggestCommentScoreResponse": answered,
        "AttributeParameters": {"scoreType": _STRING, "scoreThreshold": _NUMBER},
        "AttributeScores": {
            "summaryScore": _ref("Score"),
            "spanScores": {"type": "array", "items": _ref("SpanScore")},
        },
        "Score": {"value": _NUMBER, "type": _STRING},
        "SpanScore": {"begin": _INTEGER, "end": _INTEGER, "score": _ref("Score")},
        "TextEntry": {"text": _STRING, "type": _STRING},
        "Context": {"entries": {"type": "array", "items": _ref("TextEntry")}},
    }
    return {name: _OBJECT | {"id": name, "properties": shape} for name, shape in found.items()}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": name}


def _map(name: str) -> dict[str, Any]:
    return _OBJECT | {"additionalProperties": _ref(name)}
