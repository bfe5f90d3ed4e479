import { ClusterState, Keys } from "@fleet/domain/cluster";
import { hashText } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import { UnitTexts } from "../unit-texts.ts";
import { ClusterView } from "./cluster-view.ts";

const keys = new Keys("/f/");
const TEXT = "[Service]\nExecStart=/bin/a\n";
const HASH = hashText(TEXT);
const put = (state: ClusterState, key: string, value: string, revision: number) =>
  state.put({ key, value, createRevision: revision, modRevision: revision });

/** A view of units that all have the same file, and which files were asked for. */
function viewOf(files: Readonly<Record<string, string>> = { [HASH]: TEXT }, mostKept?: number) {
  const state = new ClusterState(keys);
  const asked: (readonly string[])[] = [];
  const texts = new UnitTexts(async (hashes) => {
    asked.push(hashes);
    return new Map(hashes.flatMap((hash) => (hash in files ? [[hash, files[hash] ?? ""] as const] : [])));
  }, mostKept);
  const view = new ClusterView(state, texts);
  let revision = 1;
  const write = (name: string, hash = HASH) => {
    const change = put(state, keys.unit(name), JSON.stringify({ hash, desiredState: "launched" }), ++revision);
    view.apply(change === null ? [] : [change]);
  };
  return { view, state, asked, write };
}

it("a unit's text is read from etcd once, and kept", async () => {
  const { view, asked, write } = viewOf();
  write("a.service");
  write("b.service");
  expect(await view.unit("a.service")).toContain('"value":"/bin/a"');
  expect((await view.units(0, 10)).items).toHaveLength(2);
  expect(await view.unit("none.service")).toBeNull();
  expect(asked).toEqual([[HASH]]);
});

it("units are shown with their options also where no text can be kept, as many as are asked for", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 9 }, (_, index) => `[Service]\nExecStart=/bin/${index}\n`).map((text) => [
      hashText(text),
      text,
    ]),
  );
  const { view, write } = viewOf(files, 1);
  for (const [index, hash] of Object.keys(files).entries()) write(`${index}.service`, hash);
  for (let times = 0; times < 2; times++) {
    const { items } = await view.units(0, 10);
    expect(items.map((json) => /bin.(\d)/.exec(json)?.[1])).toEqual([..."012345678"]);
  }
});

it("a unit that changes while its text is read is shown as it is then", async () => {
  const other = "[Service]\nExecStart=/bin/b\n";
  const { view, write } = viewOf({ [HASH]: TEXT, [hashText(other)]: other });
  write("a.service");
  const shown = view.unit("a.service");
  write("a.service", hashText(other));
  expect(await shown).toContain("/bin/b");
});

it("a page that was made while something changed is not shown again", async () => {
  const { view, write } = viewOf();
  const made = view.page("units", async () => {
    write("a.service");
    return "old";
  });
  expect(await made).toBe("old");
  expect(await view.page("units", async () => "new")).toBe("new");
  expect(await view.page("units", async () => "newer")).toBe("new");
});

it("what can't be read now is refused, and not shown without options", async () => {
  const state = new ClusterState(keys);
  put(state, keys.unit("a.service"), JSON.stringify({ hash: HASH, desiredState: "launched" }), 5);
  const away = new UnitTexts(() => Promise.reject(new Error("etcd is away")));
  await expect(new ClusterView(state, away).unit("a.service")).rejects.toThrow("etcd is away");
});

it("states are told page by page, each once, however many pages there are", () => {
  const state = new ClusterState(keys);
  const said = '{"hash":"h","current":"loaded","load":"loaded","active":"active","sub":"running"}';
  const count = 10_050; // more than there are places to be remembered
  for (let index = 0; index < count; index++) put(state, keys.state("m1", `u${index}.service`), said, 1);
  const view = new ClusterView(state, new UnitTexts(async () => new Map()));
  const found = new Set<string>();
  for (let start = 0; start < count; start++) {
    const { items, more } = view.states(null, null, start, 1);
    found.add((JSON.parse(items[0] ?? "{}") as { name: string }).name);
    if (more !== start + 1 < count) throw new Error(`page ${start} is wrong about the next one`);
  }
  expect(found.size).toBe(count);
});

it("a unit of which nobody has the file is shown without options, until it is written anew", async () => {
  const files: Record<string, string> = {};
  const { view, write } = viewOf(files);
  write("a.service");
  expect(await view.unit("a.service")).toContain('"options":[]');
  files[HASH] = TEXT;
  write("a.service");
  expect(await view.unit("a.service")).toContain("/bin/a");
});
