"""The few calls of the Kubernetes API that a task needs, with the token of its service account.

The client library would bring google-auth and more into the image, which leaves them out.
"""

from http import HTTPStatus
from pathlib import Path

from components.training.trainjob.manifest import GROUP, VERSION, Manifest
from reelflow.errors import ClusterError
from reelflow.workers.patience import patiently

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
TIMEOUT_S = (10, 30)  # to connect, to read
ADVICE = {
    HTTPStatus.UNAUTHORIZED: "its token is not accepted",
    HTTPStatus.FORBIDDEN: "the service account needs the role of infra/kubernetes/runs: apply the overlay",
    HTTPStatus.NOT_FOUND: "install Kubeflow Trainer 2, which brings TrainJob (docs/cluster.md)",
}


class KubernetesApi:
    """Objects of one namespace.

    Args:
        namespace: of the task and its workers.
        patience_s: how long a call is tried again while the API is away.
        server: the address of the API.
        account: folder of the service account: its token, which is renewed, and the API's authority.
    """

    def __init__(
        self, namespace: str, patience_s: float, server: str = SERVER, account: Path = ACCOUNT
    ) -> None:
        self._namespace, self._patience_s = namespace, patience_s
        self._server, self._account = server, account

    def create(self, kind: str, manifest: Manifest) -> None:
        """Create an object; a request whose answer was lost has created it.

        Raises:
            ClusterError: refused, or not reachable.
        """
        self._call("POST", f"create {manifest['metadata']['name']}", self._path(kind), manifest)

    def get(self, kind: str, name: str) -> Manifest | None:
        """An object; None if there is none.

        Raises:
            ClusterError: refused, or not reachable.
        """
        return self._call("GET", f"read {name}", f"{self._path(kind)}/{name}")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, if there is one.

        Raises:
            ClusterError: refused, or not reachable.
        """
        self._call("DELETE", f"delete {name}", f"{self._path(kind)}/{name}")

    def pods(self, selector: str) -> list[Manifest]:
        """The pods with these labels.

        Raises:
            ClusterError: refused, or not reachable.
        """
        path = f"/api/v1/namespaces/{self._namespace}/pods?labelSelector={selector}"
        found = self._call("GET", "list the workers' pods", path)
        return list(found["items"]) if found else []

    def _path(self, kind: str) -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self._namespace}/{kind}"

    def _call(self, method: str, what: str, path: str, manifest: Manifest | None = None) -> Manifest | None:
        return patiently(lambda: self._once(method, what, path, manifest), self._patience_s)

    def _once(self, method: str, what: str, path: str, manifest: Manifest | None) -> Manifest | None:
        import requests

        try:
            token, authority = self._read("token").strip(), self._account / "ca.crt"
            answer = requests.request(
                method,
                f"{self._server}{path}",
                json=manifest,
                headers={"Authorization": f"Bearer {token}"},
                verify=str(authority) if authority.exists() else True,
                timeout=TIMEOUT_S,
            )
            if answer.status_code == HTTPStatus.NOT_FOUND and method != "POST":
                return None
            if answer.status_code == HTTPStatus.CONFLICT and method == "POST":
                return None
            found: Manifest = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise _error(
                what, f"the Kubernetes API does not answer ({type(error).__name__})", True
            ) from error
        if answer.ok:
            return found
        status = answer.status_code
        advice = ADVICE.get(HTTPStatus(status), "look at the cluster")
        away = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        raise _error(what, f"the Kubernetes API answers {status}: {found.get('message', '')}; {advice}", away)

    def _read(self, name: str) -> str:
        try:
            return (self._account / name).read_text()
        except OSError as error:
            raise ClusterError(
                f"{self._account / name} cannot be read: a task starts workers with the token of its service "
                "account; on one machine unset REELFLOW_TRAINJOB"
            ) from error


def _error(what: str, why: str, may_pass: bool) -> ClusterError:
    error = ClusterError(f"cannot {what}: {why}")
    error.may_pass = may_pass
    return error
