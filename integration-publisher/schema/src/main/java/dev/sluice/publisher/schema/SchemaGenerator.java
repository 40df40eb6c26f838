package dev.sluice.publisher.schema;

import static dev.sluice.publisher.schema.PublishedContract.object;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonInclude;
import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedArrayType;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.BeanProperty;
import tools.jackson.databind.JavaType;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ValueSerializer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.jsonFormatVisitors.JsonAnyFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonArrayFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonBooleanFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonFormatTypes;
import tools.jackson.databind.jsonFormatVisitors.JsonFormatVisitable;
import tools.jackson.databind.jsonFormatVisitors.JsonFormatVisitorWrapper;
import tools.jackson.databind.jsonFormatVisitors.JsonIntegerFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonMapFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonNullFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonNumberFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonObjectFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonStringFormatVisitor;
import tools.jackson.databind.jsonFormatVisitors.JsonValueFormat;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.ser.BeanPropertyWriter;

/**
 * Makes a JSON Schema from what the mapper says about how it writes a class. Every property is
 * required but those that are an {@link Optional}, annotated as nullable, or left out at times.
 */
final class SchemaGenerator {
  private final JsonMapper mapper;

  SchemaGenerator(JsonMapper mapper) {
    this.mapper = mapper;
  }

  ObjectNode schema(String type, Class<?> eventClass, Optional<URI> id) {
    ObjectNode schema = object().put("$schema", "http://json-schema.org/draft-07/schema#");
    id.ifPresent(uri -> schema.put("$id", uri.toString()));
    schema.put("title", type);
    mapper.acceptJsonFormatVisitor(eventClass, new Describe(schema, new ArrayDeque<>()));
    return schema;
  }

  /** Describes one value. */
  private static final class Describe extends JsonFormatVisitorWrapper.Base {
    private final ObjectNode schema;
    private final Deque<JavaType> around;

    Describe(ObjectNode schema, Deque<JavaType> around) {
      this.schema = schema;
      this.around = around;
    }

    private Describe inside(ObjectNode part) {
      Describe inside = new Describe(part, around);
      inside.setContext(getContext());
      return inside;
    }

    private void describe(ObjectNode part, @Nullable JsonFormatVisitable value, JavaType type) {
      if (around.contains(type)) {
        throw new IllegalArgumentException(
            type.getRawClass().getName()
                + " contains itself; a published event is a tree of values: give it an id instead");
      }
      JsonFormatVisitable known = value == null ? getContext().findValueSerializer(type) : value;
      known.acceptJsonFormatVisitor(inside(part), type);
    }

    @Override
    public JsonObjectFormatVisitor expectObjectFormat(JavaType type) {
      if (type.isAbstract() || getContext().findTypeSerializer(type) != null) {
        throw severalClasses(type);
      }
      schema.put("type", "object");
      ObjectNode properties = schema.putObject("properties");
      ArrayNode required = schema.putArray("required");
      return new JsonObjectFormatVisitor.Base(getContext()) {
        @Override
        public void property(BeanProperty property) {
          optionalProperty(property);
        }

        @Override
        public void optionalProperty(BeanProperty property) {
          if (property instanceof BeanPropertyWriter writer && writer.getTypeSerializer() != null) {
            throw severalClasses(property.getType());
          }
          ObjectNode part = properties.putObject(property.getName());
          ValueSerializer<Object> serializer =
              getContext().findPrimaryPropertySerializer(property.getType(), property);
          around.push(type);
          describe(part, serializer, property.getType());
          around.pop();
          pattern(part, property.findPropertyFormat(getContext().getConfig(), Object.class));
          AnnotatedType annotated = annotatedType(property);
          if (annotated != null) {
            orNullInside(part, annotated);
          }
          if (property.getType().isReferenceType() || isNullable(annotated)) {
            orNull(part);
          } else if (!mayBeLeftOut(property, type)) {
            required.add(property.getName());
          }
        }

        @Override
        public void property(String name, JsonFormatVisitable value, JavaType hint) {
          optionalProperty(name, value, hint);
        }

        @Override
        public void optionalProperty(String name, JsonFormatVisitable value, JavaType hint) {
          around.push(type);
          describe(properties.putObject(name), value, hint);
          around.pop();
        }
      };
    }

    private static void orNull(ObjectNode part) {
      if (part.path("type").isString()) {
        String type = part.path("type").asString();
        part.putArray("type").add(type).add("null");
        if (part.get("enum") instanceof ArrayNode values) {
          values.addNull();
        }
      }
    }

    /** Elements and values that may be null. */
    private static void orNullInside(ObjectNode part, AnnotatedType type) {
      AnnotatedType inner = lastArgument(type);
      if (inner == null) {
        return;
      }
      if (type.getType() instanceof ParameterizedType generic
          && generic.getRawType().equals(Optional.class)) {
        // What is described is what is inside.
        orNullInside(part, inner);
      } else if (contentsOf(part) instanceof ObjectNode element) {
        orNullInside(element, inner);
        if (isNullable(inner)) {
          orNull(element);
        }
      }
    }

    private static @Nullable AnnotatedType lastArgument(AnnotatedType type) {
      if (type instanceof AnnotatedArrayType array) {
        return array.getAnnotatedGenericComponentType();
      }
      if (type instanceof AnnotatedParameterizedType generic) {
        AnnotatedType[] arguments = generic.getAnnotatedActualTypeArguments();
        return arguments[arguments.length - 1];
      }
      return null;
    }

    /** What describes the elements of a list, or the values of a map. */
    private static @Nullable JsonNode contentsOf(ObjectNode part) {
      return part.has("items") ? part.get("items") : part.get("additionalProperties");
    }

    private static @Nullable AnnotatedType annotatedType(BeanProperty property) {
      Member member = property.getMember().getMember();
      return member instanceof Method method
          ? method.getAnnotatedReturnType()
          : member instanceof Field field ? field.getAnnotatedType() : null;
    }

    private static boolean isNullable(@Nullable AnnotatedType type) {
      return type != null
          && Stream.of(type.getAnnotations())
              .map(Annotation::annotationType)
              .anyMatch(annotation -> annotation.getSimpleName().equals("Nullable"));
    }

    /**
     * Whether the mapper omits the property where its value is of a kind. That nulls are omitted
     * counts where it is said of this one: then somebody expects nulls.
     */
    private boolean mayBeLeftOut(BeanProperty property, JavaType owner) {
      JsonInclude.Include inclusion =
          property
              .findPropertyInclusion(getContext().getConfig(), owner.getRawClass())
              .getValueInclusion();
      return switch (inclusion) {
        case ALWAYS, USE_DEFAULTS -> false;
        case NON_NULL, NON_ABSENT -> property.getAnnotation(JsonInclude.class) != null;
        case NON_EMPTY -> !property.getType().isPrimitive();
        case NON_DEFAULT, CUSTOM -> true;
      };
    }

    /** A pattern of its own is the format, where the mapper knows only that there is a date. */
    private static void pattern(ObjectNode part, JsonFormat.Value format) {
      if (contentsOf(part) instanceof ObjectNode element) {
        pattern(element, format);
      } else if (part.path("type").asString("").equals("string") && format.hasPattern()) {
        part.put(
            "format",
            format.getPattern() + (format.hasTimeZone() ? " " + format.timeZoneAsString() : ""));
      }
    }

    private static IllegalArgumentException severalClasses(JavaType type) {
      return new IllegalArgumentException(
          type.getRawClass().getName()
              + " is written as one of several classes, or with the name of its class, which"
              + " nothing here could guard: publish one type of event for each of them, or one class"
              + " that has what all of them have, without @JsonTypeInfo");
    }

    @Override
    public JsonArrayFormatVisitor expectArrayFormat(JavaType type) {
      schema.put("type", "array");
      ObjectNode items = schema.putObject("items");
      return new JsonArrayFormatVisitor.Base(getContext()) {
        @Override
        public void itemsFormat(JsonFormatVisitable handler, JavaType elementType) {
          describe(items, handler, elementType);
        }

        @Override
        public void itemsFormat(JsonFormatTypes format) {
          items.put("type", format.value());
        }
      };
    }

    @Override
    public JsonMapFormatVisitor expectMapFormat(JavaType type) {
      schema.put("type", "object");
      ObjectNode values = schema.putObject("additionalProperties");
      return new JsonMapFormatVisitor.Base(getContext()) {
        @Override
        public void keyFormat(JsonFormatVisitable handler, JavaType keyType) {
          if (keyType.isEnumType()) {
            ObjectNode key = object();
            describe(key, null, keyType);
            schema.putObject("propertyNames").set("enum", key.path("enum"));
          }
        }

        @Override
        public void valueFormat(JsonFormatVisitable handler, JavaType valueType) {
          describe(values, handler, valueType);
        }
      };
    }

    @Override
    public JsonStringFormatVisitor expectStringFormat(JavaType type) {
      schema.put("type", "string");
      return new JsonStringFormatVisitor.Base() {
        @Override
        public void format(JsonValueFormat format) {
          schema.put("format", format.toString());
        }

        @Override
        public void enumTypes(Set<String> values) {
          ArrayNode all = schema.putArray("enum");
          values.forEach(all::add);
        }
      };
    }

    @Override
    public JsonNumberFormatVisitor expectNumberFormat(JavaType type) {
      schema.put("type", "number");
      return new JsonNumberFormatVisitor.Base();
    }

    @Override
    public JsonIntegerFormatVisitor expectIntegerFormat(JavaType type) {
      schema.put("type", "integer");
      return new JsonIntegerFormatVisitor.Base() {
        @Override
        public void numberType(JsonParser.NumberType number) {
          // The size of an integer is the reader's choice.
        }
      };
    }

    @Override
    public JsonBooleanFormatVisitor expectBooleanFormat(JavaType type) {
      schema.put("type", "boolean");
      return new JsonBooleanFormatVisitor.Base();
    }

    @Override
    public JsonNullFormatVisitor expectNullFormat(JavaType type) {
      schema.put("type", "null");
      return new JsonNullFormatVisitor.Base();
    }

    @Override
    public JsonAnyFormatVisitor expectAnyFormat(JavaType type) {
      return new JsonAnyFormatVisitor.Base();
    }
  }
}
