// Cuts text that is stored or shown beside its source, and says how much is missing. The one place for it: a text that is cut
// twice would tell the size of the first cut and not of the text. Called where events and progress comments are made.

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** At most `max_bytes` of UTF-8, cut between characters, with what is missing. */
export const cutText = (text: string, max_bytes: number): string => {
  if (text.length * 3 <= max_bytes) return text
  const bytes = encoder.encode(text)
  if (bytes.length <= max_bytes) return text
  let end = max_bytes
  while (end > 0 && ((bytes[end] ?? 0) & 0xC0) === 0x80) end--
  return `${decoder.decode(bytes.subarray(0, end))}… (${bytes.length - end} more bytes)`
}
