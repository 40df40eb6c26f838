package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.log;
import static dev.sluice.adapter.mongo.Mongo.newDatabase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.bson.BsonType;
import org.bson.codecs.BsonTypeClassMap;
import org.bson.codecs.DocumentCodecProvider;
import org.bson.codecs.configuration.CodecRegistries;
import org.bson.codecs.configuration.CodecRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What passes by itself is unavailable, what stays until somebody acts is refused. */
class RefusalsTest {

  @ParameterizedTest
  @CsvSource({"189, false", "11602, false", "276, false", "85, true", "67, true", "13, true"})
  void an_index_that_could_not_be_made(int code, boolean stays) {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = server.client()) {
      server.answers(
          (command, query) ->
              command.equals("createindexes") && Schema.COMMITS.equals(query.get("createIndexes"))
                  ? Pretended.error(code)
                  : null);
      assertThatThrownBy(() -> MongoStorage.create(client, "db")).isExactlyInstanceOf(kind(stays));
    }
  }

  private static Class<? extends SluiceException> kind(boolean stays) {
    return stays ? StoreRefusedException.class : StoreUnavailableException.class;
  }
}
