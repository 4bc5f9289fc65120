// swift-tools-version: 6.2
import PackageDescription

// The architecture is read here: a target imports only targets of lower layers.

/// Modules that own C memory, sockets or raw pointers.
let foundation: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// Every other module: the compiler itself refuses unsafe code.
let safe: [SwiftSetting] = foundation + [.strictMemorySafety()]

let package = Package(
    name: "nephele",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        // Layer 0: C
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CMessages", dependencies: ["CProtobufC"]),
        .target(name: "CKernels"),

        // Layer 1: foundations
        .target(name: "Concurrency", dependencies: ["CLinux"], swiftSettings: foundation),
        .testTarget(name: "ConcurrencyTests", dependencies: ["Concurrency"], swiftSettings: foundation),
        .target(name: "Messages", dependencies: ["CMessages", "CProtobufC"], swiftSettings: foundation),
        .target(name: "ZeroMQ", dependencies: ["CLinux", "CZeroMQ"], swiftSettings: foundation),
        .target(name: "RegularExpressions", dependencies: ["CPCRE2"], swiftSettings: foundation),

        // Layer 2: abstractions
        .target(name: "RPC", dependencies: ["Concurrency", "Messages"], swiftSettings: safe),
        .target(name: "Tensors", dependencies: ["CKernels", "Concurrency"], swiftSettings: foundation),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "CKernels"], swiftSettings: foundation),
        .target(
            name: "Tokenizers",
            dependencies: [
                "RegularExpressions",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Tokenizers"], resources: [.copy("Goldens")], swiftSettings: safe),

        // Layer 3: bindings and models
        .target(
            name: "ZeroMQTransport", dependencies: ["Concurrency", "Messages", "RPC", "ZeroMQ"], swiftSettings: safe),
        .target(
            name: "TextModels",
            dependencies: ["Tensors", "Tokenizers", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: safe),
        .testTarget(
            name: "TextModelsTests", dependencies: ["TextModels", "Tensors", "Tokenizers"],
            resources: [.copy("Goldens")], swiftSettings: safe),
        .target(name: "DiffusionModels", dependencies: ["Tensors"], swiftSettings: safe),
        .testTarget(
            name: "DiffusionModelsTests", dependencies: ["DiffusionModels", "Tensors", "EmbeddedModels"],
            resources: [.copy("Goldens")], swiftSettings: safe),

        // The models that the repository carries
        .target(
            name: "EmbeddedModels", exclude: ["Training"], resources: [.copy("Resources/models")], swiftSettings: safe),

        // Layer 4: services
        .target(name: "TokenizerService", dependencies: ["Messages", "RPC", "Tokenizers"], swiftSettings: safe),
        .target(
            name: "TextModelService", dependencies: ["Concurrency", "Messages", "RPC", "Tensors", "TextModels"],
            swiftSettings: safe),
        .testTarget(
            name: "TextModelServiceTests",
            dependencies: [
                "Messages", "RPC", "Tensors", "TextModels", "TextModelService", "Tokenizers", "TokenizerService",
                "ZeroMQTransport",
            ],
            swiftSettings: safe),
        .target(
            name: "Benchmarks", dependencies: ["Messages", "RPC", "ZeroMQ", "ZeroMQTransport"], swiftSettings: safe),

        // Layer 5: executables
        .executableTarget(name: "nephele-bench-bus", dependencies: ["Benchmarks"], swiftSettings: safe),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)
