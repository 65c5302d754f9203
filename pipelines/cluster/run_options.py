"""What a submitted or scheduled run changes in the params. Paths stay as they are: pods read them."""

from pathlib import Path, PurePosixPath

from pydantic import Field

from pipelines.cluster.config import ConfigSection
from pipelines.overrides import DEFAULT_MODEL, model_name_of, override
from reelflow.backbones.registry import check_backbones
from reelflow.nets.heads import check_heads
from reelflow.params import Params, load_params
from reelflow.video.views import check_views


class RunOptions(ConfigSection):
    """The params file, and values that override it; empty ones change nothing."""

    params: Path = Path("params.yaml")
    data: str = Field(default="", description="as pods see it: a mounted folder, or a recipe")
    weights: str = Field(default="", description="folder of weight files, as pods see it")
    backbones: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    protocol: str = ""
    model: str = Field(default="", description="name in the registry; else after the data")

    def chosen(self) -> Params:
        """The params with these values; invalid ones are rejected before pods start.

        Raises:
            ParamsError: the file cannot be read, or a value cannot be used.
        """
        params = load_params(self.params)
        chosen = override(
            params,
            source=self.data,
            weights=self.weights,
            backbones=self.backbones,
            heads=self.heads,
            protocol=self.protocol,
        ).with_values(release=self._release(params))
        check_backbones(chosen.features.backbones, chosen.features.networks)
        check_heads(chosen.training.heads)
        check_views(chosen.features.views, chosen.frames.oversample)
        return chosen

    def _release(self, params: Params) -> dict[str, object]:
        """Other clips get a name of their own: a champion of other classes is never replaced."""
        if self.model:
            return {"model_name": self.model}
        if not self.data or params.release.model_name != DEFAULT_MODEL:
            return {}
        return {"model_name": model_name_of(PurePosixPath(self.data).name)}
