"""The blueprints that the deployed version has."""

from provisioner.contract import blueprints
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.operate.call import Answer, Call, only_known


def all_blueprints(call: Call) -> Answer:
    only_known(call.query, ())
    return {"data": [_shown(name) for name in blueprints.names()]}


def one_blueprint(call: Call) -> Answer:
    """Return the blueprint of the path. Raises ``Rejected`` (NOT_FOUND)."""
    only_known(call.query, ())
    name = call.path["name"]
    if name not in blueprints.names():
        available = ", ".join(blueprints.names()) or "none"
        raise Rejected(
            ProblemType.NOT_FOUND, f"The deployed version does not have this blueprint. It has: {available}."
        )
    return _shown(name)


def _shown(name: str) -> Answer:
    return {"name": name, **blueprints.load(name).model_dump(mode="json")}
