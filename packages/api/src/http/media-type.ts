/** The media type of all bodies, in requests and in answers, except event streams and metrics. */
export const JSON_TYPE = "application/json";
