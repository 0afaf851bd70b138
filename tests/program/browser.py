"""Headless Chromium, driven over the WebDriver protocol with nothing but Python's own library."""

import base64
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how the protocol marks an element
KEYS = {"enter": "\ue007", "tab": "\ue004"}


def missing():
    """What of Chromium is not on this machine; empty if all is there."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One window; pages may keep things between visits as long as it is open."""

    def __init__(self, folder, size=(1100, 900), arguments=()):
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        # What the browser fetches for itself has no proxy to go through, and local hosts need none.
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {"HOME": str(folder)}
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        )
        self.session = ""
        try:
            self.base = self._address()
            options = {
                "binary": shutil.which("chromium"),
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                    "--disable-background-networking", f"--window-size={size[0]},{size[1]}",
                    f"--user-data-dir={folder / 'profile'}", *arguments,
                ],
                "prefs": {"download.default_directory": str(self.downloads), "download.prompt_for_download": False},
            }
            capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
            self.session = "/session/" + self._call("POST", "/session", {"capabilities": capabilities})["sessionId"]
        except BaseException:
            self.close()
            raise

    def _address(self):
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError("chromedriver ended before it listened")

    def _call(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def post(self, path, **body):
        return self._call("POST", self.session + path, body)

    def open(self, path):
        self.post("/url", url=path.resolve().as_uri())

    def reload(self):
        self.post("/refresh")

    def script(self, text, *args):
        return self.post("/execute/sync", script=text, args=list(args))

    def find(self, selector):
        return self.post("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        self.post(f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.post(f"/element/{self.find(selector)}/value", text=text)

    def keys(self, *names):
        """Pressed one after the other, wherever the focus is."""
        actions = []
        for name in names:
            key = KEYS.get(name, name)
            actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def offline(self):
        conditions = {"offline": True, "latency": 0, "throughput": 0}
        self.post("/chromium/network_conditions", network_conditions=conditions)

    def resize(self, width, height):
        """As a phone's screen: narrower than a window can be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        self.post("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self._call("GET", self.session + "/screenshot")))

    def close(self):
        try:
            if self.session:
                self._call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=20)
            self.driver.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
