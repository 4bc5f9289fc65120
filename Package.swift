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
    dependencies: [],
    targets: [
        // Layer 0: C
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .target(name: "CMessages", dependencies: ["CProtobufC"]),

        // Layer 1: foundations
        .target(name: "Concurrency", dependencies: ["CLinux"], swiftSettings: foundation),
        .testTarget(name: "ConcurrencyTests", dependencies: ["Concurrency"], swiftSettings: foundation),
        .target(name: "Messages", dependencies: ["CMessages", "CProtobufC"], swiftSettings: foundation),
        .target(name: "ZeroMQ", dependencies: ["CLinux", "CZeroMQ"], swiftSettings: foundation),

        // Layer 2: abstractions
        .target(name: "RPC", dependencies: ["Concurrency", "Messages"], swiftSettings: safe),

        // Layer 3: bindings and models
        .target(
            name: "ZeroMQTransport", dependencies: ["Concurrency", "Messages", "RPC", "ZeroMQ"], swiftSettings: safe),

        // Layer 4: services
        .target(
            name: "Benchmarks", dependencies: ["Messages", "RPC", "ZeroMQ", "ZeroMQTransport"], swiftSettings: safe),

        // Layer 5: executables
        .executableTarget(name: "nephele-bench-bus", dependencies: ["Benchmarks"], swiftSettings: safe),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)
