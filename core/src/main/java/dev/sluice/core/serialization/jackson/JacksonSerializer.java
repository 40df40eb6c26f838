package dev.sluice.core.serialization.jackson;

import dev.sluice.core.Payload;
import dev.sluice.core.serialization.SerializationException;
import dev.sluice.core.serialization.Serializer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.cfg.DateTimeFeature;
import tools.jackson.databind.cfg.MapperConfig;
import tools.jackson.databind.introspect.AnnotatedMember;
import tools.jackson.databind.introspect.JacksonAnnotationIntrospector;
import tools.jackson.databind.json.JsonMapper;

/**
 * Serialises to JSON with Jackson. Safe for use by any number of threads.
 *
 * <p>By default dates are ISO-8601 text, unknown properties are ignored, so that older code reads
 * what newer code has written, and a missing or null number is refused instead of read as 0.
 */
public final class JacksonSerializer implements Serializer {

  private final JsonMapper mapper;

  private JacksonSerializer(JsonMapper mapper) {
    this.mapper = mapper;
  }

  /** With the defaults. */
  public static JacksonSerializer create() {
    return new JacksonSerializer(
        JsonMapper.builder()
            .disable(DateTimeFeature.WRITE_DATES_AS_TIMESTAMPS)
            .disable(DateTimeFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
            .disable(DateTimeFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .annotationIntrospector(new PrimitivesAreRequired())
            .build());
  }

  /** With a mapper of the caller's, used as it is. */
  public static JacksonSerializer of(JsonMapper mapper) {
    return new JacksonSerializer(mapper);
  }

  /** The mapper, for those who ask it how it writes; its settings can't be changed. */
  public JsonMapper mapper() {
    return mapper;
  }

  @Override
  public Payload write(Object value) {
    try {
      return Payload.of(mapper.writeValueAsBytes(value));
    } catch (JacksonException e) {
      throw new SerializationException(
          value.getClass().getName() + " can't be written as JSON: " + e.getOriginalMessage(), e);
    }
  }

  @Override
  public <T> T read(Payload payload, Class<T> type) {
    try {
      T value = mapper.readValue(payload.openStream(), type);
      if (value == null) {
        throw new SerializationException(
            "the JSON value null can't be read as " + type.getName(), new NullPointerException());
      }
      return value;
    } catch (JacksonException e) {
      throw new SerializationException(
          payload.size()
              + " bytes can't be read as "
              + type.getName()
              + ": "
              + e.getClass().getSimpleName()
              + " at "
              + e.getPathReference(),
          e);
    }
  }

  /** Without this, an amount that is missing in the JSON would be read as 0. */
  private static final class PrimitivesAreRequired extends JacksonAnnotationIntrospector {

    private static final long serialVersionUID = 1L;

    @Override
    public @Nullable Boolean hasRequiredMarker(MapperConfig<?> config, AnnotatedMember member) {
      Boolean marker = super.hasRequiredMarker(config, member);
      if (marker == null && member.getRawType().isPrimitive()) {
        return true;
      }
      return marker;
    }
  }
}
