"""KFP component of a run's exit handler."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def outcome(api: str, failure: dsl.Output[dsl.Markdown]) -> None:
    """Report a run that did not end well to MLflow and the webhook; `api` may know the failed task."""
    import re
    from pathlib import Path

    import requests

    from reelflow.params import STEPS
    from reelflow.settings import Settings
    from reelflow.tracking.lifecycle import WORDLESS, end

    settings = Settings()
    token = Path("/var/run/secrets/kubeflow/pipelines/token")
    ours = re.compile(rf"(check|clips|proof|{'|'.join(STEPS)})(-\d+)?")

    def failed_task() -> str:
        """Names of failed tasks as KFP tells them; empty if its API cannot be reached from here."""
        who = {"Authorization": f"Bearer {token.read_text()}"} if token.is_file() else {}
        try:
            address = f"{api}/apis/v2beta1/runs/{settings.run_name}"
            answer = requests.get(address, headers=who, timeout=10)
            answer.raise_for_status()
            tasks = answer.json()["run_details"]["task_details"]
            failed = {one["display_name"] for one in tasks if one.get("state") == "FAILED"}
        except (requests.RequestException, OSError, ValueError, KeyError, TypeError):
            return ""
        names = ", ".join(sorted(filter(ours.fullmatch, failed)))
        return names and f"{names}: {WORDLESS}"

    text = end(settings, failed_task)
    Path(failure.path).write_text(text or "The run ended well.", encoding="utf-8")
