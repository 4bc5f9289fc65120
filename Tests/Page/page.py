#!/usr/bin/env python3
"""The gateway's page in a headless Chromium: chat, a drawing through chat, the keyboard, drawing, the fleet, usage.

    pip install playwright && apt-get install -y chromium
    nephele up --port 8080 &
    python3 Tests/Page/page.py http://127.0.0.1:8080/ --screenshots /tmp --kill
"""
import argparse, json, os, re, shutil, signal, subprocess

from playwright.sync_api import sync_playwright, expect

# However busy the machine is.
expect.set_options(timeout=120_000)

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("address")
arguments.add_argument("--screenshots", help="a folder for them")
arguments.add_argument("--key", help="an API key, where the gateway wants one")
arguments.add_argument("--kill", action="store_true", help="kill a text-model of this machine, and see it on the page")
options = arguments.parse_args()

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1000, "height": 700}, locale="en-US", color_scheme="light")
    faults, strangers = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: strangers.append(request.url)
            if not request.url.startswith((options.address, "data:")) else None)

    def look(name):
        if options.screenshots:
            page.screenshot(path=f"{options.screenshots}/{name}.png")

    page.goto(options.address)
    if options.key:
        page.fill("#key", options.key)
        page.press("#key", "Tab")
    page.wait_for_selector("#chat-model option[value=auto]", state="attached")

    page.fill("#question", "写一首关于明月的诗")
    page.keyboard.press("Enter")
    page.wait_for_selector(".judge", timeout=120_000)
    assert page.locator(".assistant").inner_text().strip("… \n"), "the answer is empty"
    page.fill("#question", "draw a blue potion")
    page.keyboard.press("Enter")
    page.wait_for_selector(".turn img", timeout=120_000)
    expect(page.locator(".judge")).to_have_count(2)
    look("chat")

    page.focus("#tab-chat")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-draw")).to_be_focused()
    page.fill("#prompt", "a red book")
    # How many previews the gallery ever shows; a slow browser may show fewer than come.
    page.evaluate("""() => {
        window.previews = 0;
        new MutationObserver(changes => { previews += changes.length; }).observe(
            document.getElementById("gallery"), { subtree: true, attributes: true, attributeFilter: ["data-preview"] });
    }""")
    with page.expect_response("**/v1/images/generations") as drawing:
        page.press("#prompt", "Enter")
    if options.screenshots:
        page.wait_for_selector("#gallery figure.preview img", timeout=120_000)
        look("preview")
    expect(page.locator("#gallery figure img")).to_have_count(4, timeout=300_000)
    expect(page.locator("#progress")).to_have_text("done", timeout=300_000)
    expect(page.locator("#gallery figure.preview")).to_have_count(0)
    assert page.evaluate("window.previews") > 0, "no preview was shown"
    events = [json.loads(line[5:]) for line in drawing.value.text().splitlines() if line.startswith("data: {")]
    previews = [event for event in events if event["type"] == "image_generation.partial_image"]
    numbers = [event["partial_image_index"] for event in previews]
    assert numbers == [0] * 4 + [1] * 4 + [2] * 4, numbers
    assert len({event["b64_json"] for event in previews}) == 12, "previews repeat"
    look("draw")

    page.click("#theme")
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("#tab-chat")).to_have_text("对话")
    page.click("#tab-fleet")
    expect(page.locator("#instances tr.new, #instances tr")).not_to_have_count(0)
    expect(page.locator("#instances td.ready").first).to_be_visible()
    look("fleet")
    if options.kill:
        # The process of this fleet, and no other's: by its socket's whole path.
        status = page.request.get(options.address + "admin/status").json()
        socket = next(one["address"] for one in status["instances"] if one["service"] == "text-model")
        pattern = "nephele-text-model.*" + re.escape(socket.removeprefix("ipc://"))
        victims = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
        os.kill(int(victims.stdout.split()[0]), signal.SIGKILL)
        expect(page.locator("#instances td.gone")).to_have_count(1)
        expect(page.locator("#instances tr.new td.ready").first).to_be_visible()
        look("killed")
    page.click("#tab-usage")
    look("usage")

    assert not faults, faults
    assert not strangers, f"the page asked others: {strangers}"
    browser.close()
print("1 passed, 0 failed")
