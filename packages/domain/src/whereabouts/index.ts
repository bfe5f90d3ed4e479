/** Where units are. Pure. */
export { placesOf } from "./places.ts";
