import pytest

from traffic.agents import BROWSERS, recognised

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "browser"),
    [
        (WINDOWS, "Chrome"),
        (f"{WINDOWS} Edg/130.0.0.0", "Edge"),
        (f"{WINDOWS} OPR/115.0.0.0", "Opera"),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S921B) SamsungBrowser/26.0 Chrome/122.0 Mobile Safari/537.36",
            "Samsung Internet",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "Firefox"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 FxiOS/130.0 Mobile/15E148",
            "Firefox",
        ),
        (
            "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
            "Chrome",
        ),
        (
            "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
            "Safari",
        ),
        ("Lynx/2.9.0", "Other"),
        (None, "Other"),
    ],
)
def test_each_browser_is_its_own_family_and_no_bot(agent: str | None, browser: str) -> None:
    assert recognised(agent) == (browser, False)
    assert browser in BROWSERS


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.24.20 A",
        "Slackbot-LinkExpanding 1.0",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        f"{WINDOWS.replace('Chrome', 'HeadlessChrome')}",
        "Mozilla/5.00 (Nikto/2.5.0)",
        "sqlmap/1.8#stable",
        "SomethingNew-Crawler/1.0",
        "EXAMPLESPIDER/3",
    ],
)
def test_crawlers_previewers_monitors_and_scanners_are_bots(agent: str) -> None:
    assert recognised(agent)[1]


@pytest.mark.parametrize(
    "agent",
    [
        "curl/8.5.0",
        "Wget/1.21",
        "python-requests/2.32",
        "python-httpx/0.27",
        "Go-http-client/2.0",
        "okhttp/4.12",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X19) Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 13; Robotics Tablet) Chrome/120.0 Safari/537.36",
    ],
)
def test_tools_libraries_and_unlucky_names_are_not_bots(agent: str) -> None:
    assert not recognised(agent)[1]
