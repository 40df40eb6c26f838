package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.util.List;
import java.util.Optional;

/**
 * Keeps with each progress what the outbox holds, and opens no lane whose progress is of another
 * one: its positions say nothing about this outbox, so messages would be lost or repeated. With the
 * progress, since only the broker's word on a lane outlasts everything else.
 */
record SameContents(MessagePublisher publisher, Outbox outbox) implements MessagePublisher {

  private static final String LINE = "\ncontents ";

  @Override
  public Lane open(String relay, int lane) {
    Lane opened = publisher.open(relay, lane);
    try {
      return new Checked(opened, opened.progress().map(last -> checked(relay, last)), suffix());
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  private String suffix() {
    return outbox.contents().isEmpty() ? "" : LINE + URLEncoder.encode(outbox.contents(), UTF_8);
  }

  private Progress checked(String relay, Progress last) {
    String state = last.state();
    int line = state.lastIndexOf(LINE);
    String contents =
        line < 0 ? "" : URLDecoder.decode(state.substring(line + LINE.length()), UTF_8);
    if (!contents.equals(outbox.contents())) {
      throw new OutOfStepException(
          "relay "
              + relay
              + " has published "
              + named(contents)
              + ", and is to publish "
              + named(outbox.contents())
              + " now, of which it would leave out what it has passed. Give it what it had before,"
              + " and what is new a relay with a name of its own");
    }
    return line < 0 ? last : new Progress(last.position(), state.substring(0, line));
  }

  private static String named(String contents) {
    return contents.isEmpty() ? "all that is stored" : contents;
  }

  @Override
  public void close() {
    publisher.close();
  }

  private record Checked(Lane lane, Optional<Progress> progress, String suffix) implements Lane {
    @Override
    public void publish(List<OutboxMessage> messages, Progress reached) {
      lane.publish(messages, new Progress(reached.position(), reached.state() + suffix));
    }

    @Override
    public void close() {
      lane.close();
    }
  }
}
