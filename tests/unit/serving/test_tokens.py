"""Who may call, and from where the server may be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_assets.serving.settings import ServingSettings, check_host
from clinical_assets.serving.tokens import load_tokens

A, B = "a" * 40, "b" * 40


def given(tmp_path: Path, text: str, mode: int = 0o600, **more) -> ServingSettings:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return ServingSettings(tokens_file=path, **more)


def test_tokens_come_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    tokens = load_tokens(given(tmp_path, f"\n# comment\nward-7 {A} labels,summaries\n", token=B))
    ward, default = tokens.caller(A.encode()), tokens.caller(B.encode())
    assert (ward.name, ward.tasks) == ("ward-7", {"labels", "summaries"})
    assert (default.name, default.tasks) == ("default", {"entities", "labels", "summaries"})


@pytest.mark.parametrize("presented", [b"", A[:-1].encode(), (A + "a").encode(), A.upper().encode(), b"\xff" * 40])
def test_only_the_whole_token_counts(tmp_path: Path, presented: bytes) -> None:
    assert load_tokens(given(tmp_path, f"ward {A}\n")).caller(presented) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no token"),
        ("ward\n", "line 1: expected `name token"),
        (f"# x\nward {A} labels more\n", "line 2: expected `name token"),
        (f"ward {A} deletions\n", "line 1: tasks are entities, labels, summaries"),
        (f"wa/rd {A}\n", "line 1: expected `name token"),
        ("ward short\n", "line 1: a token has 32 to 512"),
        (f"ward {A}\nward {B}\n", "a name is given twice"),
        (f"ward {A}\nother {A}\n", "a token is given twice"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_without_its_tokens(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        load_tokens(given(tmp_path, text))
    assert said in str(caught.value)
    assert A not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"others can read it \(mode 640\); chmod 600"):
        load_tokens(given(tmp_path, f"ward {A}\n", mode=0o640))


def test_a_token_never_shows_in_settings() -> None:
    assert A not in repr(ServingSettings(token=A))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_accepted(host: str) -> None:
    check_host(host, behind_tls_proxy=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "192.0.2.7"])
def test_other_addresses_need_a_word_about_the_proxy(host: str) -> None:
    with pytest.raises(ValueError, match="--behind-tls-proxy"):
        check_host(host, behind_tls_proxy=False)
    check_host(host, behind_tls_proxy=True)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="expected an IP address"):
        check_host("clinical.example", behind_tls_proxy=True)
