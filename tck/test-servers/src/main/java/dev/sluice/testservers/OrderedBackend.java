package dev.sluice.testservers;

import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import java.util.List;

/**
 * The embedded server's memory, with indexes in order: a find over a range with a sort costs what
 * it returns, not what the collection holds.
 */
final class OrderedBackend extends MemoryBackend {

  @Override
  public MemoryDatabase openOrCreateDatabase(String name) {
    return new OrderedDatabase(name, getCursorRegistry());
  }

  private static final class OrderedDatabase extends MemoryDatabase {

    OrderedDatabase(String name, CursorRegistry cursors) {
      super(name, cursors);
    }

    @Override
    protected MemoryCollection openOrCreateCollection(String name, CollectionOptions options) {
      return new OrderedCollection(this, name, options, cursorRegistry);
    }

    @Override
    protected Index<Integer> openOrCreateUniqueIndex(
        String collection, String index, List<IndexKey> keys, boolean sparse) {
      return OrderedIndex.unique(index, keys, sparse);
    }

    @Override
    protected Index<Integer> openOrCreateSecondaryIndex(
        String collection, String index, List<IndexKey> keys, boolean sparse) {
      return OrderedIndex.notUnique(index, keys, sparse);
    }
  }
}
