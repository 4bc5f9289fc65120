/// The keywords of JSON Schema that say something here.
enum Keyword: String, CaseIterable {
    enum Subschemas { case one, list, map }

    // Core
    case schema = "$schema", id = "$id", ref = "$ref", anchor = "$anchor", dynamicRef = "$dynamicRef"
    case dynamicAnchor = "$dynamicAnchor", defs = "$defs", definitions, comment = "$comment"
    // Any value
    case type, `enum`, const
    // In place
    case allOf, anyOf, oneOf, not, `if`, then, `else`, dependentSchemas, dependencies
    // Numbers
    case multipleOf, minimum, maximum, exclusiveMinimum, exclusiveMaximum
    // Texts
    case minLength, maxLength, pattern, format
    // Arrays
    case prefixItems, items, additionalItems, contains, minContains, maxContains, minItems, maxItems, uniqueItems
    case unevaluatedItems
    // Objects
    case properties, patternProperties, additionalProperties, propertyNames, required, minProperties, maxProperties
    case dependentRequired, unevaluatedProperties
    // What a value is called, and what others make of it
    case title, description, `default`, examples, example, deprecated, readOnly, writeOnly
    case contentEncoding, contentMediaType, contentSchema, discriminator, externalDocs, xml
    case markdownDescription, enumDescriptions, enumNames = "x-enumNames"

    var subschemas: Subschemas? {
        switch self {
        case .not, .if, .then, .else, .items, .additionalItems, .contains, .unevaluatedItems, .additionalProperties,
            .propertyNames, .unevaluatedProperties:
            .one
        case .allOf, .anyOf, .oneOf, .prefixItems: .list
        case .defs, .definitions, .dependentSchemas, .dependencies, .properties, .patternProperties: .map
        default: nil
        }
    }
}
