/**
 * All values of one query parameter, in their order, read as forms are (WHATWG URL, application/x-www-form-urlencoded):
 * names and values are percent-decoded as UTF-8 and "+" is a space; broken escapes stay as they are; a parameter
 * without "=" has the empty value.
 *
 * @param query as sent, without "?".
 * @param name decoded.
 */
export function queryValues(query: string, name: string): readonly string[] {
  const values: string[] = [];
  for (let start = 0; start < query.length;) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand === -1 ? query.length : ampersand;
    const parameter = query.slice(start, end);
    const equals = parameter.indexOf("=");
    const rawName = equals === -1 ? parameter : parameter.slice(0, equals);
    if (parameter !== "" && decode(rawName) === name)
      values.push(equals === -1 ? "" : decode(parameter.slice(equals + 1)));
    start = end + 1;
  }
  return values;
}

const decode = (text: string): string =>
  text.includes("%") || text.includes("+") ? (new URLSearchParams(`v=${text}`).get("v") ?? "") : text;
