"""The registered version that a command line means."""

from reelflow.errors import ParamsError, some_of
from reelflow.tracking.versions import Version, Versions


def registered_version(versions: Versions, model: str, version: str) -> Version:
    """The version of this number or alias.

    Args:
        versions: the registry.
        model: its name; may be empty if the registry has one model.
        version: a number or an alias.

    Raises:
        ParamsError: the registry has no model, or more than one.
        BundleError: the version was not registered by the release step.
        TrackingError: there is no such version or alias.
    """
    name = registered_model(versions, model)
    if version.isdecimal():
        return versions.named(name, number=version)
    return versions.named(name, alias=version)


def registered_model(versions: Versions, model: str) -> str:
    """A model's name; the only one's if none is given.

    Raises:
        ParamsError: none is given, and the registry has no model, or more than one.
        TrackingError: the registry refuses or is not reachable.
    """
    if model:
        return model
    names = sorted({one.model_name for one in versions.all()})
    if len(names) != 1:
        found = f"the models {some_of(names, 5)}" if names else "no model"
        raise ParamsError(f"the registry at {versions.where} has {found}: name one (--model)")
    return names[0]
