// Opens pages in Chromium and prints one JSON line for each: errors of axe-core, requests to other
// servers, errors on the console, pixels that stick out sideways.
//
//     node browser.mjs MODULES CHROMIUM BASE FOLDER VIEW...      a VIEW: PATH,WIDTH,light|dark
//
// FOLDER gets a picture of each view, "-" for none.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [modules, chromium, base, folder, ...views] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const axe = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');
const puppeteer = load('puppeteer-core');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox'] });
for (const view of views) {
  const [path, width, scheme] = view.split(',');
  const page = await browser.newPage();
  const foreign = [], errors = [];
  page.on('request', (one) => one.url().startsWith(base) || foreign.push(one.url()));
  page.on('console', (one) => one.type() === 'error' && errors.push(one.text()));
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setViewport({ width: Number(width), height: 900 });
  await page.goto(base + path);
  const shape = await page.evaluate(() => ({
    over: document.documentElement.scrollWidth - innerWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    small: [...document.querySelectorAll('a')].filter((a) => {
      const box = a.getBoundingClientRect();
      return box.width > 0 && box.height < 18;
    }).map((a) => a.textContent),
  }));
  await page.keyboard.press('Tab');
  const focus = await page.evaluate(() => document.activeElement.className);
  if (folder !== '-') {
    await page.evaluate(() => document.activeElement.blur());
    const name = view.replaceAll(/[/,]/g, '_').replace('.html', '');
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  }
  await page.evaluate(axe);  // by the debugger, so the policy of the page stays in force
  const found = await page.evaluate((tags) => axe.run({ runOnly: tags }), rules);
  const axeErrors = found.violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
  console.log(JSON.stringify({ view, foreign, errors, axe: axeErrors, focus, ...shape }));
  await page.close();
}
await browser.close();
