u2k_unit(http_openapi u2k_front_http)
