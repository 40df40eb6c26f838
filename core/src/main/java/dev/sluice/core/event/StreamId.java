package dev.sluice.core.event;

/**
 * Names the stream of one aggregate: a category such as {@code account}, and an id such as {@code
 * 42}. Ids are compared by their characters: {@code a} and {@code A} are two streams.
 *
 * @param category 1 to 64 letters, digits, '.' or '_', starting with a letter; no '-', so that the
 *     text form is unambiguous
 * @param id 1 to {@value #MAX_ID_LENGTH} chars of any Unicode text without control characters
 */
public record StreamId(String category, String id) implements Comparable<StreamId> {

  /** The greatest length of an id, in chars. */
  public static final int MAX_ID_LENGTH = 255;

  private static final int MAX_CATEGORY_LENGTH = 64;

  /** Refuses what no adapter could be trusted to store and find again. */
  public StreamId {
    checkedCategory(category);
    if (id.isEmpty()) {
      throw new IllegalArgumentException(
          "the stream id in category '" + category + "' is empty; use 1 to 255 chars");
    }
    if (id.length() > MAX_ID_LENGTH) {
      throw new IllegalArgumentException(
          "the stream id '"
              + id.substring(0, 20)
              + "…' in category '"
              + category
              + "' has "
              + id.length()
              + " chars; use at most "
              + MAX_ID_LENGTH);
    }
    for (int i = 0; i < id.length(); i++) {
      char c = id.charAt(i);
      if (Character.isISOControl(c)) {
        throw new IllegalArgumentException(
            "the stream id in category '"
                + category
                + "' has a control character at index "
                + i
                + "; use printable text");
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < id.length()
          && Character.isLowSurrogate(id.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        throw new IllegalArgumentException(
            "the stream id in category '"
                + category
                + "' has half a surrogate pair at index "
                + i
                + ", which is no Unicode text");
      }
    }
  }

  /**
   * Refuses what can't be a category.
   *
   * @return the category
   * @throws IllegalArgumentException if no stream can have it
   */
  public static String checkedCategory(String category) {
    if (!isCategory(category)) {
      throw new IllegalArgumentException(
          "'"
              + category
              + "' is not a stream category; use 1 to 64 letters, digits, '.' or '_', starting"
              + " with a letter");
    }
    return category;
  }

  /** A loop, because a stream id is made for each commit that is read. */
  private static boolean isCategory(String text) {
    if (text.isEmpty() || text.length() > MAX_CATEGORY_LENGTH || !isLetter(text.charAt(0))) {
      return false;
    }
    for (int i = 1; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!isLetter(c) && !(c >= '0' && c <= '9') && c != '.' && c != '_') {
        return false;
      }
    }
    return true;
  }

  private static boolean isLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  /** Short for the constructor. */
  public static StreamId of(String category, String id) {
    return new StreamId(category, id);
  }

  /**
   * Reads the text form, {@code category-id}.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static StreamId parse(String text) {
    int dash = text.indexOf('-');
    if (dash < 0) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a stream; expected a category, '-', and an id");
    }
    return new StreamId(text.substring(0, dash), text.substring(dash + 1));
  }

  @Override
  public int compareTo(StreamId other) {
    int byCategory = category.compareTo(other.category);
    return byCategory != 0 ? byCategory : id.compareTo(other.id);
  }

  /** The category, '-', and the id. */
  @Override
  public String toString() {
    return category + "-" + id;
  }
}
