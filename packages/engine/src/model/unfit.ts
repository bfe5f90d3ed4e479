/** Why a unit can't be on a machine. */
export type Unfit =
  | { readonly kind: "machine-id"; readonly wanted: string }
  | { readonly kind: "machine-of"; readonly peer: string }
  | { readonly kind: "mutual"; readonly peer: string }
  | { readonly kind: "metadata"; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: "conflict"; readonly with: string }
  | { readonly kind: "replaced"; readonly by: string };

/** The reason as the end of a sentence about a machine. */
export function unfitText(unfit: Unfit): string {
  switch (unfit.kind) {
    case "machine-id":
      return `its ID is not MachineID=${unfit.wanted}`;
    case "machine-of":
      return `MachineOf=${unfit.peer} is not scheduled there`;
    case "mutual":
      return `it and ${unfit.peer} follow each other by MachineOf: remove one of the two`;
    case "metadata":
      return `its metadata lacks ${unfit.values.map((value) => `${unfit.key}=${value}`).join(" or ")}`;
    case "conflict":
      return `it conflicts with ${unfit.with} there`;
    case "replaced":
      return `${unfit.by} there replaces it`;
  }
}
