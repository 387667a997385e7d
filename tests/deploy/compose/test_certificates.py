import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.compose.certificates import HOLDERS, ensure, main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ensure(tmp_path)
    return tmp_path


def _shake_hands(folder: Path, client: str | None, *, host: str = "temporal") -> None:
    """A handshake in memory; raises what either side would."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "temporal/ca.pem")
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_cert_chain(folder / "temporal/cert.pem", folder / "temporal/key.pem")
    client_context = ssl.create_default_context(cafile=folder / "goals/ca.pem")
    if client is not None:
        client_context.load_cert_chain(folder / client / "cert.pem", folder / client / "key.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("client", ["goals", "connectors", "operator", "ui"])
def test_holders_are_let_in(folder: Path, client: str) -> None:
    _shake_hands(folder, client)
    _shake_hands(folder, client, host="localhost")


def test_others_are_not(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = tmp_path_factory.mktemp("stranger")
    ensure(stranger)
    (folder / "stranger").mkdir()
    for name in ("cert.pem", "key.pem"):
        (folder / "stranger" / name).write_bytes((stranger / "goals" / name).read_bytes())

    with pytest.raises(ssl.SSLError, match="CERTIFICATE"):
        _shake_hands(folder, None)
    with pytest.raises(ssl.SSLError, match=r"(?i)verify failed|signature failure"):
        _shake_hands(folder, "stranger")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(folder, "goals", host="vault")


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.pem")}

    assert ensure(folder) == []
    assert {path: path.read_bytes() for path in folder.rglob("*.pem")} == before


def test_what_ends_soon_is_made_again_under_the_same_authority(folder: Path) -> None:
    authority = (folder / "authority/cert.pem").read_bytes()

    assert ensure(folder, now=datetime.now(UTC) + timedelta(days=300)) == []
    assert sorted(ensure(folder, now=datetime.now(UTC) + timedelta(days=340))) == sorted(HOLDERS)
    assert (folder / "authority/cert.pem").read_bytes() == authority


def test_a_lost_authority_makes_everything_anew(folder: Path) -> None:
    (folder / "authority/key.pem").unlink()

    assert sorted(ensure(folder)) == sorted(["authority", *HOLDERS])
    _shake_hands(folder, "goals")


def test_only_temporal_may_serve(folder: Path) -> None:
    for name, holder in HOLDERS.items():
        certificate = x509.load_pem_x509_certificate((folder / name / "cert.pem").read_bytes())
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert (x509.oid.ExtendedKeyUsageOID.SERVER_AUTH in usage) == (name == "temporal")
        assert (folder / name / "key.pem").stat().st_mode & 0o777 == (0o400 if holder.user else 0o444)
    assert (folder / "authority/key.pem").stat().st_mode & 0o777 == 0o600


def test_it_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert "made a certificate for goals" in capsys.readouterr().out
    assert main([]) == 2
