package dev.sluice.testservers;

import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.ValueComparator;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/** An index of the embedded server that keeps its keys in order, as a B-tree does. */
final class OrderedIndex extends AbstractUniqueIndex<Integer> {

  /** Greater than every value. */
  static final Object GREATEST = new Object();

  private static final Comparator<KeyValue> BY_VALUES = byValues();

  private final NavigableMap<KeyValue, Integer> positions = new TreeMap<>(BY_VALUES);

  private OrderedIndex(String name, List<IndexKey> keys, boolean sparse) {
    super(name, keys, sparse);
  }

  static OrderedIndex unique(String name, List<IndexKey> keys, boolean sparse) {
    return new OrderedIndex(name, keys, sparse);
  }

  /** With the document's id behind its keys, each of its entries is unique too. */
  static OrderedIndex notUnique(String name, List<IndexKey> keys, boolean sparse) {
    List<IndexKey> withId = new ArrayList<>(keys);
    if (keys.stream().noneMatch(key -> key.getKey().equals("_id"))) {
      withId.add(new IndexKey("_id", true));
    }
    return new OrderedIndex(name, withId, sparse);
  }

  private static Comparator<KeyValue> byValues() {
    Comparator<Object> values = ValueComparator.ascWithoutListHandling();
    return (left, right) -> {
      int common = Math.min(left.size(), right.size());
      for (int i = 0; i < common; i++) {
        Object a = left.get(i);
        Object b = right.get(i);
        int order =
            a == GREATEST || b == GREATEST
                ? Boolean.compare(a == GREATEST, b == GREATEST)
                : values.compare(a, b);
        if (order != 0) {
          return order;
        }
      }
      return Integer.compare(left.size(), right.size());
    };
  }

  List<String> fields() {
    return keys();
  }

  /** Whether documents without the fields are in it too. */
  boolean holdsAll() {
    return !isSparse();
  }

  /** Where the documents are whose keys lie between these bounds, both included, in key order. */
  Stream<Integer> between(List<Object> from, List<Object> to, boolean descending) {
    KeyValue most = new KeyValue(to).normalized();
    NavigableMap<KeyValue, Integer> range = positions.headMap(most, true);
    if (!from.isEmpty()) {
      KeyValue least = new KeyValue(from).normalized();
      if (BY_VALUES.compare(least, most) > 0) {
        return Stream.empty();
      }
      range = range.tailMap(least, true);
    }
    // Not the collection's own stream: that counts the whole range first, whatever the limit is.
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            (descending ? range.descendingMap() : range).values().iterator(), Spliterator.ORDERED),
        false);
  }

  @Override
  protected boolean putKeyPosition(KeyValue key, Integer position) {
    return positions.putIfAbsent(key, position) == null;
  }

  @Override
  protected @Nullable Integer getPosition(KeyValue key) {
    return positions.get(key);
  }

  @Override
  protected @Nullable Integer removeDocument(KeyValue key) {
    return positions.remove(key);
  }

  @Override
  protected Iterable<Map.Entry<KeyValue, Integer>> getIterable() {
    return positions.entrySet();
  }

  @Override
  public long getCount() {
    return positions.size();
  }

  @Override
  public long getDataSize() {
    return 0;
  }
}
