import pytest

from reelflow.sources.userinfo import as_link, without_credentials

SECRETS = ("ann", "s3cret", "p@ss")


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("http://ann:s3cret@host:5000/ml/", "http://host:5000/ml"),
        ("https://ann@host", "https://host"),
        ("https://ann:p@ss@host/ml", "https://host/ml"),
        ("https://ann:s3cret/w0rd@host/ml", "https://host/ml"),
        ("https://ann:s3cret?w0rd@host", "https://host"),
        ("https://:s3cret@host", "https://host"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("http://host/?mail=a@b", "http://host/?mail=a@b"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////home/a:b@c/mlflow.db", "sqlite:////home/a:b@c/mlflow.db"),
    ],
)
def test_a_link_is_the_address_without_its_user(address, link):
    assert as_link(address) == link
    shown = without_credentials(f"GET {address} failed: ask admin@host")
    assert shown == f"GET {address} failed: ask admin@host" or "//***@host" in shown
    assert not any(secret in shown for secret in SECRETS)
    assert shown.endswith("failed: ask admin@host")
