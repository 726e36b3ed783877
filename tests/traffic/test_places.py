import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.places import is_link, origin, place


@pytest.mark.parametrize(
    ("address", "site", "path"),
    [
        ("https://Example.ORG.:8080/a/b?c=d#e", "example.org", "/a/b"),
        ("HTTP://LOCALHOST", "localhost", "/"),
        ("http://name:secret@www.example.org/x", "www.example.org", "/x"),
        ("http://192.0.2.7:81/", "192.0.2.7", "/"),
        ("http://[2001:DB8::1]/p", "2001:db8::1", "/p"),
        ("https://bücher.example/ä", "xn--bcher-kva.example", "/ä"),
        ("https://a_b.example/", "a_b.example", "/"),
    ],
)
def test_a_site_is_the_host_in_its_normal_form(address: str, site: str, path: str) -> None:
    assert place(address) == (site, path)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "/home",
        "not a url",
        "ftp://example.org/",
        "http://",
        "http:///x",
        "https://a b/",
        "https://x.org\\y",
        "http://x:99999/",
        "http://x:port/",
        "http://999.1.1.1/",
        "http://1.2.3/",
        "http://[::1/",
        "http://-x.org/",
        "http://" + "a" * 64 + ".org/",
        "http://" + "a." * 130 + "org/",
    ],
)
def test_whatever_has_no_proper_host_is_a_page_of_no_site(text: str) -> None:
    assert place(text) == ("(none)", text)


def test_paths_and_odd_texts_are_cut_at_512_characters() -> None:
    assert place("https://example.org/" + "x" * 600) == ("example.org", "/" + "x" * 511)
    assert place("y" * 600) == ("(none)", "y" * 512)


@given(st.text(max_size=200))
def test_any_text_has_a_place(text: str) -> None:
    for address in (text, f"https://{text}", f"http://example.org/{text}"):
        host, path = place(address)
        assert host
        assert len(host) <= 253
        assert len(path) <= 512
        assert host.isascii()
        assert host == host.lower()


@pytest.mark.parametrize(
    ("referrer", "source"),
    [
        (None, "(direct)"),
        ("https://example.org/a", "(internal)"),
        ("http://EXAMPLE.org:8080", "(internal)"),
        ("https://search.example.com/?q=1", "search.example.com"),
        ("android-app://com.example.mail/", "com.example.mail"),
        ("about:blank", "(unreadable)"),
        ("??", "(unreadable)"),
    ],
)
def test_a_visit_came_from_nowhere_the_same_site_or_another_host(referrer: str | None, source: str) -> None:
    assert origin(referrer, "example.org") == source


def test_only_http_addresses_are_links() -> None:
    assert is_link("https://example.org/")
    assert not is_link("javascript:alert('https://example.org/')")
    assert not is_link("//example.org/")
