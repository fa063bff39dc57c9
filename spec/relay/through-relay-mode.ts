/** Imported first, it puts an upstream behind every gateway that specs start. */
process.env['EST_GATEWAY_THROUGH'] = 'relay';
