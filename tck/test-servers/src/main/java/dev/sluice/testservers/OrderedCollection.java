package dev.sluice.testservers;

import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Answers a find from the index that fits it best; the condition is checked again in any case. */
final class OrderedCollection extends MemoryCollection {

  OrderedCollection(
      MongoDatabase database, String name, CollectionOptions options, CursorRegistry cursors) {
    super(database, name, options, cursors);
  }

  /** The part of an index that can hold what is looked for. */
  private record Plan(
      OrderedIndex index, List<Object> from, List<Object> to, int fixed, boolean sorts) {

    /** First the one that needs no sort, then the one that looks at least. */
    boolean isBetterThan(@Nullable Plan other) {
      return other == null
          || (sorts && !other.sorts)
          || (sorts == other.sorts && fixed > other.fixed);
    }
  }

  @Override
  protected synchronized QueryResult queryDocuments(
      Document query,
      @Nullable Document orderBy,
      int skip,
      int limit,
      int batchSize,
      @Nullable Document projection) {
    for (Index<Integer> index : getIndexes()) {
      if (index.canHandle(query)) {
        return super.queryDocuments(query, orderBy, skip, limit, batchSize, projection);
      }
    }
    Map<String, Object> conditions = new LinkedHashMap<>();
    flatten(query, conditions);
    Plan best = null;
    for (Index<Integer> index : getIndexes()) {
      if (index instanceof OrderedIndex ordered) {
        Plan plan = plan(ordered, conditions, orderBy);
        if ((plan.fixed() > 0 || plan.sorts()) && plan.isBetterThan(best)) {
          best = plan;
        }
      }
    }
    if (best == null) {
      return super.queryDocuments(query, orderBy, skip, limit, batchSize, projection);
    }
    boolean descending = best.sorts() && isDescending(orderBy);
    return matchDocumentsFromStream(
        query,
        // A document with an array has several entries.
        best.index().between(best.from(), best.to(), descending).distinct().map(this::getDocument),
        skip,
        limit,
        batchSize,
        best.sorts() ? null : deriveComparator(orderBy),
        projection);
  }

  private static void flatten(Document query, Map<String, Object> conditions) {
    query.forEach(
        (field, condition) -> {
          if (field.equals("$and") && condition instanceof Collection<?> parts) {
            parts.forEach(part -> flatten((Document) part, conditions));
          } else if (conditions.get(field) instanceof Document before
              && isRange(before)
              && condition instanceof Document also
              && isRange(also)) {
            Document both = new Document(before);
            both.putAll(also);
            conditions.put(field, both);
          } else {
            conditions.putIfAbsent(field, condition);
          }
        });
  }

  private static boolean isRange(Document condition) {
    return !condition.isEmpty()
        && List.of("$gt", "$gte", "$lt", "$lte").containsAll(condition.keySet());
  }

  private static Plan plan(
      OrderedIndex index, Map<String, Object> conditions, @Nullable Document orderBy) {
    List<Object> from = new ArrayList<>();
    List<Object> to = new ArrayList<>();
    List<String> fields = index.fields();
    int fixed = 0;
    while (fixed < fields.size()) {
      Object wanted = conditions.get(fields.get(fixed));
      if (!(wanted instanceof String || wanted instanceof Number || wanted instanceof UUID)) {
        break;
      }
      from.add(wanted);
      to.add(wanted);
      fixed++;
    }
    boolean sorts =
        fixed < fields.size()
            && isSortedBy(orderBy, fields.get(fixed))
            && (fixed > 0 || index.holdsAll());
    if (fixed < fields.size()
        && conditions.get(fields.get(fixed)) instanceof Document range
        && isRange(range)) {
      Object least = range.getOrDefault("$gte", range.get("$gt"));
      Object most = range.getOrDefault("$lte", range.get("$lt"));
      if (least != null) {
        from.add(least);
      }
      if (most != null) {
        to.add(most);
      }
      fixed++;
    }
    to.add(OrderedIndex.GREATEST);
    return new Plan(index, from, to, fixed, sorts);
  }

  private static boolean isSortedBy(@Nullable Document orderBy, String field) {
    return orderBy != null && orderBy.size() == 1 && orderBy.containsKey(field);
  }

  private static boolean isDescending(@Nullable Document orderBy) {
    return orderBy != null && ((Number) orderBy.values().iterator().next()).intValue() < 0;
  }
}
