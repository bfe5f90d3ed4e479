/** The type of every body of the API, in requests and in answers, but for event streams and the metrics. */
export const JSON_TYPE = "application/json";
