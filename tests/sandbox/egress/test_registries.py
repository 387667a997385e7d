"""What a run's tools are told of the mirror, and what a deployment cannot say of it."""

import pytest

from sandbox.egress.registries import MirrorSettings, nginx_configuration

GO = "https://proxy.golang.org/"


def test_go_is_pointed_to_the_mirror_and_believes_the_database_alone() -> None:
    settings = MirrorSettings(go_proxy=GO)
    told = settings.environment("10.0.0.2")
    assert (told["GOPROXY"], told["GOSUMDB"]) == ("http://10.0.0.2:8090/proxy.golang.org", "sum.golang.org")
    assert "proxy.golang.org" in settings.hosts
    assert "location ^~ /proxy.golang.org/ {" in nginx_configuration(settings)


def test_no_proxy_of_gos_is_open_by_itself() -> None:
    settings = MirrorSettings()
    assert not any("golang" in host for host in settings.hosts)
    assert not any(name.startswith("GO") for name in settings.environment("10.0.0.2"))


@pytest.mark.parametrize(
    "sums", ["off", "", "sum.golang.org https://evil.example.com", "sum.golang.org\nGOFLAGS=x", "*"]
)
def test_what_signs_go_modules_cannot_be_left_out(sums: str) -> None:
    with pytest.raises(ValueError, match="go_sums"):
        MirrorSettings(go_proxy=GO, go_sums=sums)


def test_a_database_of_ones_own_is_named_by_its_key() -> None:
    key = "sums.example.com+0a1b2c3d+AQ/b+c="
    assert MirrorSettings(go_proxy=GO, go_sums=key).environment("10.0.0.2")["GOSUMDB"] == key
