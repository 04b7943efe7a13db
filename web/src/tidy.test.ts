/** What keeps the page's architecture: imports go one way. */
import { expect, test } from "vitest";

/** From the ground up; a folder imports from those before it and from itself. */
const FLOORS = [
  "i18n",
  "lib",
  "components",
  "features/account",
  "features/orders",
  "features/sales",
  "features/admin",
  "app",
];

const sources = import.meta.glob<string>("./**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });

const floorOf = (path: string): number => FLOORS.findIndex((folder) => path.startsWith(`${folder}/`));

/** The paths below src that a file imports. */
function importsOf(file: string, text: string): string[] {
  const folder = file.split("/").slice(0, -1);
  const named = [...text.matchAll(/(?:from|import\()\s*"((?:@\/|\.)[^"]*)"/g)].map(([, name]) => name ?? "");
  return named.map((name) => (name.startsWith("@/") ? `${name.slice(2)}/` : `${resolve(folder, name)}/`));
}

function resolve(folder: readonly string[], name: string): string {
  const path = [...folder];
  for (const part of name.split("/")) {
    if (part === "..") {
      path.pop();
    } else if (part !== ".") {
      path.push(part);
    }
  }
  return path.join("/");
}

test("imports go down only", () => {
  const upward = Object.entries(sources).flatMap(([path, text]) => {
    const file = path.replace("./", "");
    const floor = floorOf(file);
    return importsOf(file, text)
      .filter((imported) => floor >= 0 && floorOf(imported) > floor)
      .map((imported) => `${file} imports ${imported}`);
  });
  expect(upward).toEqual([]);
});

test("the floors are those that are there", () => {
  const floors = new Set(Object.keys(sources).map((path) => floorOf(path.replace("./", ""))));
  expect([...floors].filter((floor) => floor >= 0).sort()).toEqual(FLOORS.map((_, floor) => floor));
});
