# An image of nothing but the static binary that `make build` leaves in bin/: whoever
# builds the image has Go, and no other image has to be pulled.
FROM scratch
COPY bin/holdfast /holdfast

# A new volume begins as a copy of what the image has at its place, owner included:
# this is how the node can write there without being root. .dockerignore lets docs in
# as an empty directory.
COPY --chown=65532:65532 docs /data
USER 65532:65532
VOLUME /data

# Flags and the environment of the container come before these.
ENV HOLDFAST_DIR=/data HOLDFAST_LISTEN=:6379 HOLDFAST_HTTP=:8080
# Clients, the other nodes, HTTP.
EXPOSE 6379 16379 8080

# There is no shell and no curl here.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/holdfast", "health", "127.0.0.1:8080"]
ENTRYPOINT ["/holdfast"]
