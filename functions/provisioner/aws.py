"""The clients of AWS services, the same in every function."""

from functools import cached_property, partialmethod
from typing import Any

from botocore.config import Config
from botocore.endpoint import EndpointCreator
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from provisioner import __version__
from provisioner.tls import shared_context

MAX_CONCURRENT_TENANTS = 10  # a batch holds ten records, and the tenants in it are processed in parallel

# A call to AWS takes milliseconds. These limits leave time to repeat it, or to continue without it.
AWS_CONFIG = Config(
    user_agent=f"close-provisioner/{__version__}",
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    parameter_validation=False,  # a tenth of a call: AWS validates as well, and so do the tests with the whole models
    max_pool_connections=MAX_CONCURRENT_TENANTS,
)


class HttpSession(URLLib3Session):  # type: ignore[misc]
    """botocore's HTTP session with the shared TLS context. botocore's own reads all roots again at each connection.

    A CA bundle that the environment names (AWS_CA_BUNDLE) is used as before.
    """

    def _get_ssl_context(self) -> Any:
        return shared_context() if self._verify is True else super()._get_ssl_context()

    def _setup_ssl_cert(self, conn: Any, url: str, verify: bool | str) -> None:
        super()._setup_ssl_cert(conn, url, verify)
        if verify is True:
            conn.ca_certs = None  # the context has the roots


EndpointCreator.create_endpoint = partialmethod(EndpointCreator.create_endpoint, http_session_cls=HttpSession)


class Clients:
    """The clients of one session, each made when it is first asked for."""

    def __init__(self, models: str = "") -> None:
        self._models = models
        self._made: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Session:
        session = Session()
        if self._models:
            session.set_config_variable("data_path", self._models)
        return session

    def __call__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._session.create_client(name, config=AWS_CONFIG)
        return self._made[name]

    def close_connections(self) -> None:
        """Close every connection. The next calls open others."""
        for client in self._made.values():
            client.close()


_kept: list[Clients] = []


def make_clients(models: str = "") -> Clients:
    """Return a factory of clients. It uses botocore, because boto3 also imports S3 transfers at every cold start.

    ``models``: a folder with models of services that are read before botocore's own, where it exists.
    """
    return _kept[0] if _kept and not models else Clients(models)


def keep_clients() -> Clients:
    """Let every factory from now on be this one, whose clients survive a snapshot.

    A client holds no state but its connections, and credentials that it replaces once the clock says that they expire.
    """
    _kept[:] = [Clients()]
    return _kept[0]
