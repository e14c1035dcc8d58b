"""Changes requests that would break the run without revealing a defect."""

import schemathesis

# The user whose token is used: deactivated, it could send no more requests.
ALICE = "1"


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if operation in ("updateUser", "deleteTokens") and str(case.path_parameters.get("user")) == ALICE:
        case.path_parameters["user"] = 3
    if operation == "sync" and isinstance(case.body, dict) and "wait" in case.body:
        case.body["wait"] = 0
