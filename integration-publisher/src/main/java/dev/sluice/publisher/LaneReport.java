package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.util.Optional;

/**
 * What a lane leaves in its checkpoint for those who ask from other processes.
 *
 * @param position how far the lane has come; the checkpoint's own position is what may be pruned
 * @param state the lane's state; empty as long as the broker never had a progress of the lane
 * @param error why the lane doesn't go on
 */
record LaneReport(Position position, Optional<LaneState> state, Optional<String> error) {

  static LaneReport of(Checkpoint checkpoint) {
    String text = checkpoint.state().toUtf8();
    if (text.isEmpty()) {
      return new LaneReport(Position.START, Optional.empty(), Optional.empty());
    }
    String[] parts = text.split("\n", 3);
    return new LaneReport(
        Position.parse(parts[0]),
        parts.length < 3 ? Optional.empty() : Optional.of(LaneState.parse(parts[2])),
        parts[1].isEmpty() ? Optional.empty() : Optional.of(URLDecoder.decode(parts[1], UTF_8)));
  }

  LaneReport withError(String error) {
    return new LaneReport(position, state, Optional.of(error));
  }

  long applied() {
    return state.map(LaneState::applied).orElse(0L);
  }

  Payload toPayload() {
    return Payload.ofUtf8(
        position
            + "\n"
            + error.map(e -> URLEncoder.encode(e, UTF_8)).orElse("")
            + state.map(s -> "\n" + s.format()).orElse(""));
  }
}
