// Opens pages of `flowscope report` as someone does who was sent the file, and fails if one of them asks for anything,
// reports an error, runs a name of the wire as code, cannot be used by keyboard, or violates a rule of accessibility.
//
// node check.mjs CHROMIUM FOLDER PAGE…
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, folder, ...pages] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const browser = await chromium.launch({ executablePath, headless: true, args });

// Runs `body` with a page, and checks what a page must never do.
async function open(file, options, body) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const url = pathToFileURL(file).href;
  const wrong = [];
  page.on("console", (message) => wrong.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => wrong.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => request.url() !== url && wrong.push(`request: ${request.url()}`));
  await page.goto(url);
  await body(page);
  assert.deepEqual(wrong, [], `${basename(file)} ${JSON.stringify(options)}`);
  await context.close();
}

const shown = (page, table) => page.locator(`#${table} tbody tr:visible`).count();

async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const places = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(places, [], `${name}: violations of accessibility`);
}

async function inert(page) {
  const found = await page.evaluate(() => ({
    scripts: document.scripts.length,
    foreign: document.querySelectorAll("img, iframe, object, embed, link, form, base").length,
    handlers: Array.from(document.querySelectorAll("*"))
      .filter((element) => element.getAttributeNames().some((name) => name.startsWith("on"))).length,
    hit: "hit" in globalThis,
    turning: /[\u202a-\u202e\u2066-\u2069]/.test(document.body.textContent),
  }));
  assert.deepEqual(found, { scripts: 2, foreign: 0, handlers: 0, hit: false, turning: false });
}

async function sorts(page) {
  const packets = page.locator("#flow-table th", { hasText: "Packets" });
  const column = await packets.evaluate((head) => head.cellIndex);
  const values = () => page.locator("#flow-table tbody tr").evaluateAll(
    (rows, at) => rows.map((row) => Number(row.cells[at].dataset.v)), column);
  await packets.getByRole("button").focus();
  for (const [direction, compare] of [["descending", (a, b) => b - a], ["ascending", (a, b) => a - b]]) {
    await page.keyboard.press("Enter");
    assert.equal(await packets.getAttribute("aria-sort"), direction);
    const found = await values();
    assert.deepEqual(found, found.toSorted(compare));
  }
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  assert.equal(await packets.getAttribute("aria-sort"), "none", "another column is sorted by");
}

async function filters(page) {
  const all = await shown(page, "flow-table");
  const tools = page.locator("[data-for=flow-table]");
  await tools.getByRole("searchbox").focus();
  await page.keyboard.type("TLS 443");
  const matching = await shown(page, "flow-table");
  assert.ok(matching > 0 && matching < all, `${matching} of ${all}`);
  assert.equal(await tools.getByRole("status").textContent(), `${matching} of ${all} rows`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  assert.ok(await shown(page, "flow-table") < matching, "failed ones only");
  await page.keyboard.press("Space");
  await tools.getByRole("searchbox").fill("");
  assert.equal(await shown(page, "flow-table"), all);
}

async function zooms(page) {
  const all = await shown(page, "session-table");
  await page.locator("#chart").scrollIntoViewIfNeeded();
  const chart = await page.locator("#chart .u-over").boundingBox();
  await page.mouse.move(chart.x + chart.width * 0.02, chart.y + 50);
  await page.mouse.down();
  await page.mouse.move(chart.x + chart.width * 0.3, chart.y + 60, { steps: 4 });
  await page.mouse.up();
  const some = await shown(page, "session-table");
  assert.ok(some > 0 && some < all, `${some} of ${all} after a drag`);
  await page.getByRole("button", { name: "Show all" }).press("Enter");
  assert.equal(await shown(page, "session-table"), all);
  const from = page.getByRole("spinbutton", { name: "from second" });
  await from.fill("0.5");
  await from.press("Enter");
  assert.ok(await shown(page, "session-table") < all, "typed");
  await page.getByRole("button", { name: "Show all" }).press("Enter");
  await page.getByRole("combobox", { name: "Show" }).selectOption("packets");
}

for (const file of pages) {
  const name = basename(file, ".html");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 400]) {
      await open(file, { colorScheme, viewport: { width, height: 900 } }, async (page) => {
        await inert(page);
        await accessible(page, `${name} ${colorScheme} ${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${name} at ${width}: ${wide} wide`);
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      });
    }
  }
  await open(file, { javaScriptEnabled: false }, async (page) => {
    assert.equal(await page.locator(".tools:visible, .hint:visible").count(), 0, "no control without a script");
    assert.ok(await page.locator("#chart .static").isVisible());
    assert.ok(await shown(page, "flow-table") > 0 && await shown(page, "session-table") > 0);
  });
}
await open(pages[0], { viewport: { width: 1280, height: 900 } }, async (page) => {
  await sorts(page);
  await filters(page);
  await zooms(page);
  const clients = page.getByRole("combobox", { name: "Client" });
  assert.ok(await clients.isVisible());
  assert.equal(await page.locator("details.client:visible").count(), 1);
});
await browser.close();
console.log(`${pages.length} pages opened: nothing asked for, nothing ran, no violation`);
