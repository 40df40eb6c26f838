package dev.sluice.publisher;

import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import java.util.List;
import java.util.Optional;

/** A publisher that does something before each batch, which may fail; closing it does nothing. */
record Intercepted(MessagePublisher publisher, Step before) implements MessagePublisher {

  /** What happens before a batch of a lane. */
  interface Step {
    void run(int lane, List<OutboxMessage> messages);
  }

  @Override
  public Lane open(String relay, int lane) {
    Lane opened = publisher.open(relay, lane);
    return new Lane() {
      @Override
      public Optional<Progress> progress() {
        return opened.progress();
      }

      @Override
      public void publish(List<OutboxMessage> messages, Progress reached) {
        before.run(lane, messages);
        opened.publish(messages, reached);
      }

      @Override
      public void close() {
        opened.close();
      }
    };
  }

  @Override
  public void close() {}
}
